package konnectivity

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
)

// benchRoad is a way to a target at an address.
type benchRoad struct {
	name string
	open func(b *testing.B, address string) dialer.Dialer
}

// benchRoads are the tunnel by each way for our ends to speak that has flow control,
// in process, and what to compare it with in the same run: a TLS connection for each
// connection, through a forwarder that copies.
func benchRoads() []benchRoad {
	roads := []benchRoad{{"tls", forwarded}}
	for _, link := range linkCases() {
		if link.protocol == "konnectivity" {
			continue
		}
		roads = append(roads, benchRoad{link.protocol, func(b *testing.B, _ string) dialer.Dialer {
			w := link.world(b, nil)
			w.run(w.agentConfig("edge", everywhere))
			return w.srv
		}})
	}
	return roads
}

// forwarded dials a forwarder to address over mutual TLS 1.3, whatever it is asked
// for.
func forwarded(b *testing.B, address string) dialer.Dialer {
	ca := testpki.MustCA(b, "forwarder")
	serverCfg := serverTLS(b, ca)
	front := target(b, func(c net.Conn) {
		near := tls.Server(c, serverCfg)
		far, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		var both sync.WaitGroup
		both.Go(func() { io.Copy(far, near); far.Close() })
		both.Go(func() { io.Copy(near, far); near.Close() })
		both.Wait()
	})
	d := tls.Dialer{Config: &tls.Config{
		RootCAs: ca.Pool(), ServerName: "server.test", MinVersion: tls.VersionTLS13,
		Certificates: []tls.Certificate{ca.MustPair(b, testpki.Leaf{CommonName: "client"})},
	}}
	return dialer.Func(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return d.DialContext(ctx, network, front)
	})
}

// piece is what one operation of BenchmarkRoadThroughput carries.
const piece = 256 << 10

// BenchmarkRoadThroughput carries bytes on several connections at once, to the
// target or from it. What is written but has not arrived yet counts; it is little
// beside what a run of a second carries.
func BenchmarkRoadThroughput(b *testing.B) {
	for _, road := range benchRoads() {
		for _, direction := range []string{"up", "down"} {
			for _, n := range []int{1, 8} {
				b.Run(fmt.Sprintf("road=%s/dir=%s/conns=%d", road.name, direction, n), func(b *testing.B) {
					benchThroughput(b, road, direction == "up", n)
				})
			}
		}
	}
}

func benchThroughput(b *testing.B, road benchRoad, up bool, n int) {
	address := target(b, func(c net.Conn) {
		buf := make([]byte, piece)
		for {
			if err := move(c, buf, !up); err != nil {
				return
			}
		}
	})
	d := road.open(b, address)
	moved, stop := make(chan error), make(chan struct{})
	var workers sync.WaitGroup
	for range n {
		c := dial(b, d, address)
		workers.Go(func() {
			defer c.Close()
			buf := make([]byte, piece)
			for {
				err := move(c, buf, up)
				select {
				case moved <- err:
				case <-stop:
					return
				}
			}
		})
	}
	b.SetBytes(piece)
	b.ReportAllocs()
	for b.Loop() {
		if err := <-moved; err != nil {
			b.Fatal(err)
		}
	}
	close(stop)
	workers.Wait()
}

// move writes buf or fills it.
func move(c net.Conn, buf []byte, write bool) (err error) {
	if write {
		_, err = c.Write(buf)
	} else {
		_, err = io.ReadFull(c, buf)
	}
	return err
}

// BenchmarkRoadEcho sends 1 KiB to the target and back.
func BenchmarkRoadEcho(b *testing.B) {
	for _, road := range benchRoads() {
		b.Run("road="+road.name, func(b *testing.B) {
			address := echo(b)
			c := dial(b, road.open(b, address), address)
			buf := make([]byte, 1<<10)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRoadDial dials, sends a byte there and back, and closes; by one after the
// other, and by 32 at a time.
func BenchmarkRoadDial(b *testing.B) {
	for _, road := range benchRoads() {
		b.Run("road="+road.name+"/workers=1", func(b *testing.B) {
			address := echo(b)
			d := road.open(b, address)
			b.ReportAllocs()
			for b.Loop() {
				if err := oneWord(d, address); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("road="+road.name+"/workers=32", func(b *testing.B) {
			address := echo(b)
			d := road.open(b, address)
			b.ReportAllocs()
			b.ResetTimer()
			var workers sync.WaitGroup
			for i := range 32 {
				workers.Go(func() {
					for range (b.N + i) / 32 {
						if err := oneWord(d, address); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			workers.Wait()
		})
	}
}
