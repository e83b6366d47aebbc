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
// each. up stalls the way to the target, otherwise the way back. What it returns
// ends them.
func stall(t testing.TB, d dialer.Dialer, n int, up bool) (end func()) {
	t.Helper()
	var written atomic.Int64
	var writers sync.WaitGroup
	release := make(chan struct{})
	far := narrowTarget(t, func(c net.Conn) {
		c.(*net.TCPConn).SetWriteBuffer(16 << 10) // filling buffers is not what is tested
		if !up {
			pour(counted{c, &written})
		}
		<-release
	})
	var conns []net.Conn
	end = sync.OnceFunc(func() {
		close(release)
		for _, c := range conns {
			c.Close()
		}
		writers.Wait()
	})
	t.Cleanup(end)
	for range n {
		c, err := d.DialContext(context.Background(), "tcp", far)
		if err != nil {
			t.Fatal(err)
		}
		if up {
			writers.Go(func() { pour(counted{c, &written}) })
		}
		conns = append(conns, c)
	}
	settled(t, &written)
	return end
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
				grown, most := heap()-before, link.stalledMemory()
				t.Logf("%d stalled connections hold %d KiB of this process", n, grown>>10)
				if grown > most {
					t.Errorf("want at most %d KiB", most>>10)
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

// BenchmarkIsolation echoes 1 KiB on a connection, by turns alone in its tunnel
// and beside stalled connections, and says how the median and the p99 of the two
// compare. By turns, because what else the machine does comes and goes; one
// iteration is a turn of each, so a few of them, as in -benchtime=10x, will do.
func BenchmarkIsolation(b *testing.B) {
	for _, link := range linkCases() {
		numbers := link.stalled()
		if link.protocol == "konnectivity" {
			numbers = numbers[:1] // more of them only take more of the time that each may
		}
		for _, n := range numbers {
			for _, up := range []bool{true, false} {
				b.Run(fmt.Sprintf("road=%s/stalled=%d/dir=%s", link.protocol, n, map[bool]string{true: "up", false: "down"}[up]), func(b *testing.B) {
					benchIsolation(b, link, n, up)
				})
			}
		}
	}
}

func benchIsolation(b *testing.B, link linkCase, n int, up bool) {
	w := link.world(b, nil)
	agent, _ := w.run(w.agentConfig("edge", everywhere))
	c := dial(b, w.srv, echo(b))
	echoTimes(b, c, 500) // warm
	var alone, beside []time.Duration
	for b.Loop() {
		eventually(b, "those of the last turn gone", func() bool { return w.srv.load() == 1 && agent.Tunnels()[0].Conns == 1 })
		alone = append(alone, echoTimes(b, c, 2000)...)
		end := stall(b, w.srv, n, up)
		beside = append(beside, echoTimes(b, c, 2000)...)
		end()
	}
	b.ReportMetric(0, "ns/op") // which is mostly that of filling buffers
	for name, q := range map[string]float64{"p50": 0.5, "p99": 0.99} {
		free, held := quantile(alone, q), quantile(beside, q)
		b.ReportMetric(float64(held.Nanoseconds())/1e3, name+"-µs")
		b.ReportMetric(float64(held)/float64(free), name+"-ratio")
	}
}

// echoTimes returns the times of n echoes of 1 KiB.
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
	return times
}

func quantile(times []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
