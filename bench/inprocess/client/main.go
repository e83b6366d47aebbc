//go:build ignore

// Command client is the load tool with one more way to the target, inprocess:ADDR,
// through a server of this process that waits for its agent on ADDR; --ca, --cert
// and --key are that server's then. It is left out of builds of the whole module,
// since the load tool is not part of the repository; bench/run.sh names the file.
package main

import (
	"tunnelbench/cli"
	"tunnelbench/via"

	"context"
	"net"

	"github.com/sallyport/sallyport/bench/inprocess"
)

func main() {
	via.Register("inprocess", func(listen string, f via.TLSFiles) (via.Dialer, error) {
		server, err := inprocess.Serve(listen, inprocess.Files{CA: f.CA, Cert: f.Cert, Key: f.Key})
		if err != nil {
			return nil, err
		}
		return via.Func(func(ctx context.Context, address string) (net.Conn, error) {
			return server.DialContext(ctx, "tcp", address)
		}), nil
	})
	cli.Main()
}
