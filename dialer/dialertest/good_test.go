package dialertest_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/dialer/dialertest"
	"github.com/sallyport/sallyport/internal/testpki"
)

// plain is the simplest dialer that keeps the contract.
func plain() dialer.Dialer {
	return dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
		if network != "tcp" {
			return nil, dialer.Wrap(net.UnknownNetworkError(network), dialer.HopTarget, network, address)
		}
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, dialer.Wrap(err, dialer.HopTarget, network, address)
		}
		return c, nil
	})
}

func TestPlainTCP(t *testing.T) {
	dialertest.Run(t, func(*testing.T) dialertest.Fixture {
		return dialertest.Fixture{Dialer: plain()}
	})
}

// TestTLS shows the fields a protocol with limits needs, and that the suite
// works with targets that are not *net.TCPConn.
func TestTLS(t *testing.T) {
	dialertest.Run(t, func(t *testing.T) dialertest.Fixture { return tlsFixture(t) })
}

func tlsFixture(t testing.TB) dialertest.Fixture {
	ca := testpki.MustCA(t, "dialertest")
	serving := &tls.Config{
		Certificates: []tls.Certificate{ca.MustPair(t, testpki.Leaf{Names: []string{"127.0.0.1"}})},
	}
	return dialertest.Fixture{
		Dialer: dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
			d := tls.Dialer{Config: &tls.Config{RootCAs: ca.Pool()}}
			if network != "tcp" {
				return nil, dialer.Wrap(net.UnknownNetworkError(network), dialer.HopTarget, network, address)
			}
			c, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, dialer.Wrap(err, dialer.HopTLS, network, address)
			}
			return c, nil
		}),
		Listen: func(t testing.TB) net.Listener {
			ln, err := tls.Listen("tcp", "127.0.0.1:0", serving)
			if err != nil {
				t.Fatal(err)
			}
			return ln
		},
		WriteTimeoutFatal: true,
	}
}
