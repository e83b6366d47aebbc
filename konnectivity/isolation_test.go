package konnectivity

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// stalledMemory bounds what 256 stalled connections may add to this process,
// which holds both ends of the tunnel. With yamux their windows are 256 times
// 32 KiB at each end, and the rest is conns and goroutines. gRPC holds 96 KiB at
// the end that does not read, and at the other what it has taken to send: 64 KiB,
// what it is at, and what comes next.
func (c linkCase) stalledMemory() int64 {
	if c.protocol == "grpc" {
		return 80 << 20
	}
	return 64 << 20
}

// stalled are the numbers of stalled connections to try. Where they share a stream
// each is reset after a while, one after the other, so that many take long.
func (c linkCase) stalled() []int {
	if c.protocol == "konnectivity" {
		return []int{1, 16, 64}
	}
	return []int{1, 16, 256}
}

// stall opens n connections whose far side never reads, with a writer blocked in
// each. up stalls the way to the target, otherwise the way back.
func stall(t testing.TB, d dialer.Dialer, n int, up bool) {
	t.Helper()
	var written atomic.Int64
	var writers sync.WaitGroup
	release := make(chan struct{})
	far := target(t, func(c net.Conn) {
		// Small kernel buffers, or filling them is all the test would do.
		c.(*net.TCPConn).SetReadBuffer(16 << 10)
		c.(*net.TCPConn).SetWriteBuffer(16 << 10)
		if !up {
			pour(counted{c, &written})
		}
		<-release
	})
	t.Cleanup(func() { close(release); writers.Wait() })
	for range n {
		c, err := d.DialContext(context.Background(), "tcp", far)
		if err != nil {
			t.Fatal(err)
		}
		if up {
			writers.Go(func() { pour(counted{c, &written}) })
		}
		t.Cleanup(func() { c.Close() })
	}
	settled(t, &written)
}

// pour writes until the conn is closed: on a peer that never reads it blocks. All
// writers write the same bytes, lest the test count its own.
func pour(c net.Conn) {
	for {
		if _, err := c.Write(pourBlock[:]); err != nil {
			return
		}
	}
}

var pourBlock [64 << 10]byte

// counted counts what is written to a conn.
type counted struct {
	net.Conn
	n *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.n.Add(int64(n))
	return n, err
}

// settled waits until nothing is written any more: whatever can be buffered is,
// and every writer is blocked.
func settled(t testing.TB, written *atomic.Int64) {
	t.Helper()
	eventually(t, "every writer blocked", func() bool {
		before := written.Load()
		time.Sleep(50 * time.Millisecond) // how long silence must last, not a guess at how long it takes
		return written.Load() == before
	})
}

func TestStalledConnectionsDelayNobody(t *testing.T) {
	eachLink(t, testStalledConnectionsDelayNobody)
}

func testStalledConnectionsDelayNobody(t *testing.T, link linkCase) {
	for _, n := range link.stalled() {
		for _, up := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d/up=%v", n, up), func(t *testing.T) {
				leak.Check(t)
				w := link.world(t, nil)
				w.run(w.agentConfig("edge", everywhere))
				neighbour := dial(t, w.srv, echo(t))
				before := heap()
				stall(t, w.srv, n, up)
				for i := range 200 {
					neighbour.SetDeadline(time.Now().Add(10 * time.Second))
					talk(t, neighbour, fmt.Sprintf("echo %d beside %d stalled connections", i, n))
				}
				talk(t, dial(t, w.srv, echo(t)), "a new connection beside them")
				if grown, most := heap()-before, link.stalledMemory(); grown > most {
					t.Errorf("%d stalled connections hold %d MiB, more than %d", n, grown>>20, most>>20)
				}
			})
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC() // what lies in a sync.Pool survives the first
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// BenchmarkIsolation echoes 1 KiB on a connection beside stalled ones, and says
// how its median and p99 compare to the same connection before they stalled.
func BenchmarkIsolation(b *testing.B) {
	for _, link := range linkCases() {
		for _, n := range link.stalled() {
			for _, up := range []bool{true, false} {
				b.Run(fmt.Sprintf("%s/stalled=%d/up=%v", link.protocol, n, up), func(b *testing.B) {
					benchIsolation(b, link, n, up)
				})
			}
		}
	}
}

func benchIsolation(b *testing.B, link linkCase, n int, up bool) {
	w := link.world(b, nil)
	w.run(w.agentConfig("edge", everywhere))
	c := dial(b, w.srv, echo(b))
	echoTimes(b, c, 500) // warm
	free := echoTimes(b, c, 3000)
	stall(b, w.srv, n, up)
	var beside []time.Duration
	for b.Loop() {
		beside = append(beside, echoTimes(b, c, 1)...)
	}
	slices.Sort(beside)
	b.ReportMetric(float64(quantile(beside, 0.5).Nanoseconds()), "p50-ns")
	b.ReportMetric(float64(quantile(beside, 0.99).Nanoseconds()), "p99-ns")
	b.ReportMetric(float64(quantile(beside, 0.5))/float64(quantile(free, 0.5)), "p50-ratio")
	b.ReportMetric(float64(quantile(beside, 0.99))/float64(quantile(free, 0.99)), "p99-ratio")
}

// echoTimes returns the sorted times of n echoes of 1 KiB.
func echoTimes(b *testing.B, c net.Conn, n int) []time.Duration {
	buf := make([]byte, 1<<10)
	times := make([]time.Duration, 0, n)
	for range n {
		begin := time.Now()
		if _, err := c.Write(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			b.Fatal(err)
		}
		times = append(times, time.Since(begin))
	}
	slices.Sort(times)
	return times
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
