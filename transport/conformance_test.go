package transport_test

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/sallyport/sallyport/dialer/dialertest"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// TestDialerContract runs the conformance suite over plain TCP.
func TestDialerContract(t *testing.T) {
	dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
		ca := testpki.MustCA(t, "ca")
		serving := &tls.Config{
			Certificates: []tls.Certificate{ca.MustPair(t, node("node-1", "127.0.0.1"))},
			// A caller that only writes never reads the tickets, and a TCP conn
			// closed with unread bytes resets what it still had to send.
			SessionTicketsDisabled: true,
		}
		return dialertest.Fixture{
			Dialer: mustDialer(t, transport.Config{
				Roots:    transport.StaticRoots(ca.Pool()),
				NodeName: func(string) string { return "node-1" },
			}),
			Listen: func(t testing.TB) net.Listener {
				ln, err := tls.Listen("tcp", "127.0.0.1:0", serving)
				if err != nil {
					t.Fatal(err)
				}
				return ln
			},
			WriteTimeoutFatal: true, // as crypto/tls documents
		}
	})
}
