package main

import (
	"os"
	"testing"

	"github.com/sallyport/sallyport/bench/internal/world"
	"github.com/sallyport/sallyport/konnectivity"
)

func TestMain(m *testing.M) {
	world.Roles(roles)
	os.Exit(m.Run())
}

// A few stalled streams hold something, within the memory of a tunnel.
func TestWindowsAreCounted(t *testing.T) {
	for _, protocol := range []konnectivity.Protocol{konnectivity.ProtocolYamux, konnectivity.ProtocolGRPC} {
		h, err := measure(small, protocol, 3)
		if err != nil {
			t.Fatalf("%s: %v", protocol, err)
		}
		if h.Lost > 0 || h.Total < 3*4<<10 || h.Total > 64<<20 || h.Smallest <= 0 || h.Largest > h.Total {
			t.Errorf("%s: windows hold %+v, want from 3 times 4 KiB to 64 MiB in all", protocol, h.windows)
		}
		if h.rate <= 0 || h.stuck.Heap <= 0 || h.dial <= 0 {
			t.Errorf("%s: %+v", protocol, h)
		}
	}
}
