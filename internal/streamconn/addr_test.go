package streamconn

import (
	"net"
	"testing"
)

func TestAddr(t *testing.T) {
	for _, c := range []struct {
		network, address   string
		tcp                bool
		wantNet, wantPrint string
	}{
		{"tcp", "192.0.2.1:443", true, "tcp", "192.0.2.1:443"},
		{"tcp6", "[2001:db8::1]:443", true, "tcp", "[2001:db8::1]:443"},
		{"", "192.0.2.1:443", true, "tcp", "192.0.2.1:443"},
		{"tcp", "node.example:443", false, "tcp", "node.example:443"},
		{"", "node.example:443", false, "tcp", "node.example:443"},
		{"unix", "192.0.2.1:443", false, "unix", "192.0.2.1:443"},
		{"", "", false, "tcp", ""},
	} {
		a := Addr(c.network, c.address)
		if a == nil {
			t.Fatalf("%q: nil", c.address)
		}
		if _, ok := a.(*net.TCPAddr); ok != c.tcp {
			t.Errorf("%s %q is a %T", c.network, c.address, a)
		}
		if a.Network() != c.wantNet || a.String() != c.wantPrint {
			t.Errorf("%s %q became %s %q", c.network, c.address, a.Network(), a)
		}
	}
}
