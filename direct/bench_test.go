package direct

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

// BenchmarkDial compares a dial with that of net.Dialer, which it is made of.
func BenchmarkDial(b *testing.B) {
	allow := func(context.Context, string, netip.AddrPort) error { return nil }
	for name, d := range map[string]dialer.Dialer{
		"net":    new(net.Dialer),
		"direct": new(Dialer),
		"policy": &Dialer{Allow: allow},
	} {
		b.Run(name, func(b *testing.B) { benchDial(b, d) })
	}
}

func benchDial(b *testing.B, d dialer.Dialer) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.Read(make([]byte, 1)) // until the dialing side resets it
			c.Close()
		}
	}()
	b.ReportAllocs()
	for b.Loop() {
		c, err := d.DialContext(b.Context(), "tcp", ln.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		c.(*net.TCPConn).SetLinger(0) // no port stays behind in TIME_WAIT
		c.Close()
	}
}
