package interop_test

import (
	"testing"

	"github.com/sallyport/sallyport/interop/suite"
)

func TestWire(t *testing.T) { suite.Wire(t) }

func TestInterop(t *testing.T) { suite.Run(t, suite.SingleUse) }

// FuzzWire looks for bytes about which we and Konnectivity's generated code
// disagree.
func FuzzWire(f *testing.F) {
	for _, b := range suite.Packets() {
		f.Add(b)
	}
	f.Add([]byte("\xba\x06\x0b00000000000")) // a WINDOW of nonsense, which they do not look into
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := suite.Agree(b); err != nil {
			t.Fatal(err)
		}
	})
}
