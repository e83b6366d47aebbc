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
