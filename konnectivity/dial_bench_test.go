package konnectivity

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

// silentWorld is a server with one agent that takes everything, for benchmarks:
// neither writes a log.
func silentWorld(b *testing.B, p Protocol) *world {
	w := newWorld(b, func(cfg *ServerConfig) { cfg.Log = nil })
	cfg := w.agentConfig("edge", Identifiers{DefaultRoute: true})
	cfg.Protocols, cfg.Log = []Protocol{p}, nil
	w.run(cfg)
	return w
}

// BenchmarkDial is a dial of a target through a tunnel over TLS, a byte there and
// back, and a close; all of it in one process.
func BenchmarkDial(b *testing.B) {
	for _, p := range []Protocol{ProtocolYamux, ProtocolGRPC} {
		b.Run(string(p), func(b *testing.B) {
			w, address := silentWorld(b, p), echo(b)
			b.ReportAllocs()
			for b.Loop() {
				if err := oneWord(w.srv, address); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDialParallel is BenchmarkDial from many callers at a time.
func BenchmarkDialParallel(b *testing.B) {
	for _, p := range []Protocol{ProtocolYamux, ProtocolGRPC} {
		b.Run(string(p), func(b *testing.B) {
			w, address := silentWorld(b, p), echo(b)
			manyWords(b, w.srv, address)
		})
	}
}

// BenchmarkConnectDial is BenchmarkDial by way of a CONNECT front end on a unix
// socket: the road of a kube-apiserver. Its client is as small as one can be.
func BenchmarkConnectDial(b *testing.B) {
	for _, p := range []Protocol{ProtocolYamux, ProtocolGRPC} {
		b.Run(string(p), func(b *testing.B) {
			w, address := silentWorld(b, p), echo(b)
			fr := newFront(b, ModeHTTPConnect, overUnix, func(cfg *FrontendConfig) { cfg.Dialer = w.srv })
			b.ReportAllocs()
			for b.Loop() {
				if err := oneWord(bareClient(fr.address()), address); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkConnectDialParallel is BenchmarkConnectDial from many clients at a time.
func BenchmarkConnectDialParallel(b *testing.B) {
	for _, p := range []Protocol{ProtocolYamux, ProtocolGRPC} {
		b.Run(string(p), func(b *testing.B) {
			w, address := silentWorld(b, p), echo(b)
			fr := newFront(b, ModeHTTPConnect, overUnix, func(cfg *FrontendConfig) { cfg.Dialer = w.srv })
			manyWords(b, bareClient(fr.address()), address)
		})
	}
}

// manyWords runs oneWord from 16 goroutines for each processor.
func manyWords(b *testing.B, d dialer.Dialer, address string) {
	b.ReportAllocs()
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := oneWord(d, address); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// bareClient is a CONNECT client of the unix socket it names.
type bareClient string

func (s bareClient) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", string(s))
	if err != nil {
		return nil, err
	}
	buf := make([]byte, 256)
	n := 0
	if _, err = io.WriteString(c, "CONNECT "+address+" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err == nil {
		n, err = c.Read(buf)
	}
	if err == nil && !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 200 ") {
		err = fmt.Errorf("answered %q", buf[:n])
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// BenchmarkPolicy is what an agent's policy costs a dial.
func BenchmarkPolicy(b *testing.B) {
	p, err := NewPolicy(
		PolicyRule{CIDRs: []string{"127.0.0.0/8", "10.0.0.0/8", "fd00::/8"}, Ports: []string{"443", "10250"}},
		PolicyRule{Names: []string{"*.svc.example", "node-1"}},
	)
	if err != nil {
		b.Fatal(err)
	}
	for _, host := range []string{"10.1.2.3", "127.0.0.1", "fd00::1", "api.svc.example"} {
		b.Run(host, func(b *testing.B) {
			addr, err := netip.ParseAddr(host)
			if err != nil {
				addr = netip.MustParseAddr("192.0.2.1")
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := p.AllowName(b.Context(), host, 443); err != nil {
					b.Fatal(err)
				}
				if err := p.Allow(b.Context(), host, netip.AddrPortFrom(addr, 443)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
