package konnectivity

import (
	"testing"

	"github.com/sallyport/sallyport/dialer/dialertest"
)

// TestClientConformance: a Client's conns are what package dialer promises, by
// every way to a Frontend. What a way cannot keep is stated here and in the
// documentation of Client.
func TestClientConformance(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
			return dialertest.Fixture{
				Dialer: newFront(t, w.mode, w.road, nil).client(nil),
				// The conn is crypto/tls's own.
				WriteTimeoutFatal: w.mode == ModeHTTPConnect && (w.road == overTLS12 || w.road == overTLS13),
				// A unix socket has no reset.
				NoReset: w.mode == ModeHTTPConnect && w.road == overUnix,
			}
		})
	})
}

// TestClientConformanceThroughTunnel: the whole road, from a client by a front end
// and a server to an agent, keeps the same promises.
func TestClientConformanceThroughTunnel(t *testing.T) {
	for _, w := range []way{{ModeGRPC, overUnix}, {ModeHTTPConnect, overTLS13}} {
		t.Run(w.String(), func(t *testing.T) {
			dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
				tunnel := tunnelOf(t)
				fr := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) { cfg.Dialer = tunnel })
				return dialertest.Fixture{Dialer: fr.client(nil), WriteTimeoutFatal: w.mode == ModeHTTPConnect}
			})
		})
	}
}
