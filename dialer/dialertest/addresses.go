package dialertest

import (
	"net"
	"testing"
)

// addresses: callers print and parse them, so they are never nil nor empty,
// not even after Close.
func addresses(t testing.TB, f Fixture) {
	c, _ := f.Pair(t)
	checkAddr(t, "LocalAddr", c.LocalAddr())
	checkAddr(t, "RemoteAddr", c.RemoteAddr())
	c.Close()
	checkAddr(t, "LocalAddr after Close", c.LocalAddr())
	checkAddr(t, "RemoteAddr after Close", c.RemoteAddr())
}

func checkAddr(t testing.TB, what string, a net.Addr) {
	t.Helper()
	if a == nil {
		t.Errorf("%s is nil", what)
		return
	}
	if a.Network() == "" || a.String() == "" {
		t.Errorf("%s has network %q and string %q; want both non-empty", what, a.Network(), a)
	}
}
