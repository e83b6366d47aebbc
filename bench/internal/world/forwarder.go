package world

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"sync"
)

// forwarderArgs are those of forwarderRole.
type forwarderArgs struct {
	PKI PKI
	To  string
}

// forwarderRole takes TLS connections and joins each to one of its own to the
// target: a tunnel's least, and no tunnel. It answers "address".
func forwarderRole(ctx context.Context, args []byte) (func(string) (any, error), error) {
	var a forwarderArgs
	if err := json.Unmarshal(args, &a); err != nil {
		return nil, err
	}
	cfg, err := a.PKI.serverTLS()
	if err != nil {
		return nil, err
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", cfg)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { ln.Close() })
	go forward(ln, a.To)
	return func(question string) (any, error) {
		if question == "address" {
			return ln.Addr().String(), nil
		}
		return answerUsage(question)
	}, nil
}

// forward ends with its process: nobody waits for its connections.
func forward(ln net.Listener, to string) {
	for {
		near, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer near.Close()
			far, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer far.Close()
			var both sync.WaitGroup
			both.Go(func() { io.Copy(far, near); far.Close() })
			both.Go(func() { io.Copy(near, far); near.Close() })
			both.Wait()
		}()
	}
}

// TLSRoad is a road through a forwarder in a process of its own, which stop ends.
func TLSRoad(pki PKI, port string) (road Road, stop func(), err error) {
	cfg, err := pki.clientTLS()
	if err != nil {
		return nil, nil, err
	}
	child, err := Start("forwarder", forwarderArgs{PKI: pki, To: net.JoinHostPort("127.0.0.1", port)})
	if err != nil {
		return nil, nil, err
	}
	var address string
	if err := child.Ask("address", &address); err != nil {
		child.Stop()
		return nil, nil, err
	}
	d := tls.Dialer{Config: cfg}
	return func(ctx context.Context, _ int) (net.Conn, error) { return d.DialContext(ctx, "tcp", address) }, child.Stop, nil
}
