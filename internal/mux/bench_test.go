package mux

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/internal/testpki"
)

// carriers are what a session runs over in the benchmarks.
var carriers = []struct {
	name string
	pair func(testing.TB) (net.Conn, net.Conn)
}{{"tcp", tcpPair}, {"tls", tlsPair}}

func tlsPair(t testing.TB) (net.Conn, net.Conn) {
	ca := testpki.MustCA(t, "bench")
	cert := ca.MustPair(t, testpki.Leaf{Names: []string{"bench"}})
	a, b := tcpPair(t)
	client := tls.Client(record.Under(a), &tls.Config{RootCAs: ca.Pool(), ServerName: "bench", MinVersion: tls.VersionTLS13})
	server := tls.Server(record.Under(b), &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return record.Over(client), record.Over(server)
}

func BenchmarkEcho(b *testing.B) {
	for _, c := range carriers {
		b.Run(c.name, func(b *testing.B) {
			x, y := c.pair(b)
			p := newPair(b, x, y, nil)
			near, far := p.open(b)
			go io.Copy(far, far)
			buf := make([]byte, 1<<10)
			b.SetBytes(int64(len(buf)))
			b.ReportAllocs()
			for b.Loop() {
				near.Write(buf)
				if _, err := io.ReadFull(near, buf); err != nil {
					b.Fatal(err)
				}
			}
			near.Close()
			far.Close()
		})
	}
}

func BenchmarkThroughput(b *testing.B) {
	for _, c := range carriers {
		for _, n := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/streams=%d", c.name, n), func(b *testing.B) {
				x, y := c.pair(b)
				p := newPair(b, x, y, nil)
				const piece = 64 << 10
				b.SetBytes(int64(piece * n))
				b.ReportAllocs()
				var wg sync.WaitGroup
				for range n {
					w, r := p.open(b)
					wg.Go(func() {
						buf := make([]byte, piece)
						for range b.N {
							if _, err := w.Write(buf); err != nil {
								b.Error(err)
								return
							}
						}
						w.Close()
					})
					wg.Go(func() { r.WriteTo(io.Discard); r.Close() })
				}
				wg.Wait()
			})
		}
	}
}

func BenchmarkOpenClose(b *testing.B) {
	for _, c := range carriers {
		b.Run(c.name, func(b *testing.B) {
			x, y := c.pair(b)
			p := newPair(b, x, y, nil)
			b.ReportAllocs()
			for b.Loop() {
				near, far := p.open(b)
				near.Close()
				far.Close()
			}
		})
	}
}
