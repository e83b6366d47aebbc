package suite

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"google.golang.org/grpc"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/pkg/client"

	"github.com/sallyport/sallyport/dialer"
)

// A Client returns a Dialer through the gRPC front end at address that ends with
// the test.
type Client func(t testing.TB, address string, opts ...grpc.DialOption) dialer.Dialer

// SingleUse is konnectivity-client as an apiserver uses it: a tunnel for each
// dial.
func SingleUse(_ testing.TB, address string, opts ...grpc.DialOption) dialer.Dialer {
	return dialer.Func(func(ctx context.Context, network, target string) (net.Conn, error) {
		tunnel, err := client.CreateSingleUseGrpcTunnelWithContext(ctx, context.Background(), address, opts...)
		if err != nil {
			return nil, err
		}
		return tunnel.DialContext(ctx, network, target)
	})
}

// connect dials through an HTTP CONNECT front end by the request that an apiserver
// sends, and takes nothing but a 200.
func connect(f *front) dialer.Dialer {
	return dialer.Func(func(ctx context.Context, network, target string) (net.Conn, error) {
		c, err := f.connectTo(ctx)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { c.Close() })
		defer stop()
		if err := ask(c, target); err != nil {
			c.Close()
			return nil, err
		}
		return c, nil
	})
}

// connectTo connects to the front end and says nothing yet.
func (f *front) connectTo(ctx context.Context) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, f.network, f.address)
	if err == nil && f.tls != nil {
		c = tls.Client(c, f.tls)
	}
	return c, err
}

// ask asks for target.
func ask(c net.Conn, target string) error {
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", target); err != nil {
		return err
	}
	// Byte by byte: what follows the header is not the header's.
	br := bufio.NewReaderSize(oneByte{c}, 16)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		reason, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		return fmt.Errorf("%s: %s", resp.Status, reason)
	}
	if br.Buffered() > 0 {
		return fmt.Errorf("%d bytes behind the header were read with it", br.Buffered())
	}
	return nil
}

type oneByte struct{ io.Reader }

func (r oneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

// through is a client's way through a front end of the world.
func (w *world) through(f *front, c Client) dialer.Dialer {
	if f.mode == "http-connect" {
		return connect(f)
	}
	address, opts := f.target()
	return c(w.t, address, opts...)
}

// hangUp closes c. Konnectivity's client sees the answer to its CLOSE_REQ and the
// end of the stream at once, and returns an error for the one that it takes up
// last.
func hangUp(c net.Conn) error {
	err := bounded(patience, c.Close)
	if err != nil && err.Error() == "tunnel closed" {
		return nil
	}
	return err
}
