package mux

import (
	"io"
	"testing"
	"testing/synctest"
	"time"
)

// stallGrown opens n streams one after the other, lets each fill the link until
// its window has grown as far as it will, and then reads it no more.
func (p *pair) stallGrown(t *testing.T, n int) {
	for range n {
		s1, s2 := p.open(t)
		go func() {
			for piece := make([]byte, 1<<20); ; {
				if _, err := s1.Write(piece); err != nil {
					return
				}
			}
		}()
		if _, err := io.CopyN(io.Discard, s2, 60<<20); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(time.Second) // what was on its way has arrived
}

// newcomer moves total bytes over a new stream and returns its bytes per second.
func (p *pair) newcomer(t *testing.T, total int) float64 {
	s1, s2 := p.open(t)
	go func() {
		s1.Write(make([]byte, total))
		s1.CloseWrite()
	}()
	start := time.Now()
	if n, err := io.Copy(io.Discard, s2); n != int64(total) || err != nil {
		t.Fatalf("newcomer: %d bytes, %v", n, err)
	}
	s1.Close()
	s2.Close()
	return float64(total) / time.Since(start).Seconds()
}

// TestStalledHogsLeaveThroughput: streams that grew to the link and then stalled
// keep their windows, but a newcomer still gets one that is worth having. With
// the first window alone it would crawl.
func TestStalledHogsLeaveThroughput(t *testing.T) {
	const rtt, bandwidth, total = 50 * time.Millisecond, 80_000_000, 20 << 20
	beside := func(t *testing.T, hogs int) (rate float64) {
		synctest.Test(t, func(t *testing.T) {
			a, b := delayedPair(rtt/2, bandwidth)
			p := newPair(t, a, b, nil)
			time.Sleep(time.Second) // the round trip is known
			p.stallGrown(t, hogs)
			held := p.server.mem.Grown()
			if hogs > 0 && held < 8<<20 {
				t.Errorf("%d hogs grew by %d bytes only; they hog nothing", hogs, held)
			}
			rate = p.newcomer(t, total)
			p.stop()
		})
		return rate
	}
	alone := beside(t, 0)
	for _, hogs := range []int{1, 2, 3} {
		if rate := beside(t, hogs); rate < alone/4 {
			t.Errorf("beside %d stalled streams %.1f MB/s, alone %.1f", hogs, rate/1e6, alone/1e6)
		}
	}
}

// TestClosedHogGivesItsGrowthBack: what a stream had grown by is there for the
// next one.
func TestClosedHogGivesItsGrowthBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := delayedPair(25*time.Millisecond, 80_000_000)
		p := newPair(t, a, b, nil)
		time.Sleep(time.Second)
		for range 6 {
			p.newcomer(t, 40<<20)
		}
		s1, s2 := p.open(t)
		go func() { s1.Write(make([]byte, 40<<20)); s1.Close() }()
		io.Copy(io.Discard, s2)
		if size := s2.size(); size < 4<<20 {
			t.Errorf("the seventh window grew to %d bytes, as if the others still had theirs", size)
		}
		s2.Close()
		p.stop()
		balanced(t, p.client, p.server)
		if n := p.server.mem.Grown(); n != 0 {
			t.Errorf("%d bytes of growth left in the books", n)
		}
	})
}
