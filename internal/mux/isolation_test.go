package mux

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// stalled is streams that nobody reads, each with a Write that is blocked.
type stalled struct {
	writers sync.WaitGroup
	ends    []*Stream // both ends of each
	readers []*Stream // those that should read and do not
}

// stall opens n stalled streams, every other one in the other direction.
func (p *pair) stall(t testing.TB, n int) *stalled {
	t.Helper()
	var s stalled
	endless := make([]byte, 64<<10)
	for i := range n {
		w, r := p.open(t)
		s.ends = append(s.ends, w, r)
		if i%2 == 1 {
			w, r = r, w
		}
		s.readers = append(s.readers, r)
		s.writers.Go(func() {
			for {
				if _, err := w.Write(endless); err != nil {
					return
				}
			}
		})
	}
	eventually(t, "every window is full", func() bool {
		for _, r := range s.readers {
			if int64(r.recv.Len()) < r.size() {
				return false
			}
		}
		return true
	})
	return &s
}

func (s *stalled) close() {
	for _, st := range s.ends {
		st.Close()
	}
	s.writers.Wait()
}

// within checks that what a session holds is within what it says and may.
func (s *stalled) within(t testing.TB, sessions ...*Session) {
	t.Helper()
	var held, used int64
	for _, r := range s.readers {
		held += int64(r.recv.Len())
	}
	for _, s := range sessions {
		used += s.mem.Used()
		if n, limit := s.mem.Used(), int64(s.cfg.memory()); n > limit {
			t.Errorf("windows of %d bytes granted, the limit is %d", n, limit)
		}
	}
	if held > used || held == 0 {
		t.Errorf("%d bytes held, %d granted", held, used)
	}
}

// echo is a stream whose far end sends everything back.
func (p *pair) echo(t testing.TB, swap bool, wg *sync.WaitGroup) *Stream {
	near, far := p.open(t)
	if swap {
		near, far = far, near
	}
	wg.Go(func() { io.Copy(far, far); far.Close() })
	near.SetDeadline(time.Now().Add(patience))
	return near
}

func TestIsolation(t *testing.T) {
	for _, n := range []int{1, 16, 256} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			leak.Check(t)
			a, b := tcpPair(t)
			p := newPair(t, a, b, func(c, s *Config) { c.Memory, s.Memory = 8<<20, 8<<20 })
			s := p.stall(t, n)
			var echoes, callers sync.WaitGroup
			for i := range 4 {
				st := p.echo(t, i%2 == 1, &echoes)
				callers.Go(func() {
					defer st.Close()
					want := random(uint64(i), 16<<10)
					got := make([]byte, len(want))
					for range 50 {
						if _, err := st.Write(want[:1<<10]); err != nil {
							t.Errorf("write: %v", err)
							return
						}
						if _, err := io.ReadFull(st, got[:1<<10]); err != nil || !bytes.Equal(got[:1<<10], want[:1<<10]) {
							t.Errorf("read: %v", err)
							return
						}
					}
					go st.Write(want)
					if _, err := io.ReadFull(st, got); err != nil || !bytes.Equal(got, want) {
						t.Errorf("read: %v", err)
					}
				})
			}
			callers.Wait()
			echoes.Wait()
			s.within(t, p.client, p.server)
			s.close()
			balanced(t, p.client, p.server)
		})
	}
}

// TestMemoryOfManyStalled measures the process, both ends of the session, not
// just the session's own books.
func TestMemoryOfManyStalled(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	p := newPair(t, a, b, nil)
	before := heap()
	s := p.stall(t, 1000)
	s.within(t, p.client, p.server)
	grown := (heap() - before) >> 20
	t.Logf("1000 stalled streams: %d and %d KiB granted, heap grew by %d MiB",
		p.client.mem.Used()>>10, p.server.mem.Used()>>10, grown)
	if grown > 100 {
		t.Errorf("the heap grew by %d MiB", grown)
	}
	s.close()
	balanced(t, p.client, p.server)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // the pools give up theirs at the second
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkIsolation(b *testing.B) {
	for _, n := range []int{0, 1, 16, 256} {
		b.Run(fmt.Sprintf("stalled=%d", n), func(b *testing.B) {
			x, y := tcpPair(b)
			p := newPair(b, x, y, nil)
			s := p.stall(b, n)
			var echoes sync.WaitGroup
			st := p.echo(b, false, &echoes)
			st.SetDeadline(time.Time{})
			buf := make([]byte, 1<<10)
			took := make([]time.Duration, 0, b.N)
			for b.Loop() {
				start := time.Now()
				st.Write(buf)
				if _, err := io.ReadFull(st, buf); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
			st.Close()
			echoes.Wait()
			s.close()
		})
	}
}
