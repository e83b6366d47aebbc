package dialertest_test

import (
	"net"
	"testing"

	"github.com/sallyport/sallyport/dialer/dialertest"
)

// A test of a dialer of one's own is one call. The fixture is made anew for
// every subtest, with whatever servers the dialer needs.
func Example() {
	_ = func(t *testing.T) { // func TestMyDialer(t *testing.T)
		dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
			return dialertest.Fixture{Dialer: plain()}
		})
	}
	// Output:
}

// A fixture says what its targets are, and what its protocol cannot do.
func ExampleFixture() {
	_ = dialertest.Fixture{
		Dialer: plain(),
		Listen: func(t testing.TB) net.Listener {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			return ln // or tls.NewListener(ln, config)
		},
		NoHalfClose: false, // true where the protocol cannot half-close
	}
	// Output:
}
