package window

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const (
	start = 4 << 10
	first = 32 << 10
	limit = 64 << 20
	most  = 64 << 20
	rtt   = 50 * time.Millisecond
)

func newMemory(limit int64) *Memory {
	m := new(Memory)
	m.Init(limit)
	return m
}

// open returns the window of a new stream.
func open(t *testing.T, m *Memory) *Window {
	t.Helper()
	extra, ok := m.Admit(start, first)
	if !ok {
		t.Fatal("no memory for another stream")
	}
	w := new(Window)
	w.Init(start, extra)
	return w
}

// turn moves one window's worth through w in d: what a peer sends that is held
// back by nothing else, and a reader that takes it at once.
func turn(t *testing.T, m *Memory, w *Window, d time.Duration) {
	t.Helper()
	size := w.Size()
	const piece = 4 << 10
	for moved := int64(0); moved < size; moved += piece {
		time.Sleep(time.Duration(int64(d) * piece / size))
		if !w.Received(piece) {
			t.Error("the peer kept to its grants and was over")
			return
		}
		w.Consumed(m, piece, most, rtt)
	}
	if used := m.Used(); used > m.Limit() {
		t.Errorf("%d bytes granted of %d", used, m.Limit())
	}
}

func TestFirstWindows(t *testing.T) {
	m := newMemory(1 << 20)
	var sizes []int64
	for {
		extra, ok := m.Admit(start, first)
		if !ok {
			break
		}
		sizes = append(sizes, start+extra)
	}
	if sizes[0] != first || sizes[len(sizes)-1] != start {
		t.Errorf("the first stream got %d, the last %d", sizes[0], sizes[len(sizes)-1])
	}
	if used := m.Used(); used > m.Limit() || used < m.Limit()-start {
		t.Errorf("%d of %d used when full", used, m.Limit())
	}
	for _, size := range sizes {
		m.Return(start, size-start)
	}
	if m.Used() != 0 || m.base.Load() != 0 {
		t.Errorf("%d used, %d of it first windows, after all was returned", m.Used(), m.base.Load())
	}
}

func TestReceivedIsExact(t *testing.T) {
	m := newMemory(limit)
	w := open(t, m)
	if !w.Received(first) || w.Received(1) {
		t.Error("the window is not what was granted")
	}
	if grant, _ := w.Consumed(m, first, most, 0); grant != first {
		t.Errorf("%d granted for %d read with no known round trip", grant, first)
	}
	if !w.Received(first) || w.Received(1) {
		t.Error("the grant is not what may be sent")
	}
}

func TestGrowsWhileHeldBack(t *testing.T) {
	for name, c := range map[string]struct {
		window time.Duration // how long a window takes to pass
		most   int64
		grows  bool
	}{
		"one round trip":       {rtt, most, true},
		"nearly four":          {39 * rtt / 10, most, true},
		"more than four":       {41 * rtt / 10, most, false},
		"at its largest":       {rtt, first, false},
		"beyond its largest":   {rtt, 1, false},
		"no largest is wanted": {rtt, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory(limit)
				w := open(t, m)
				for range 2 {
					w.Received(first / 2)
					time.Sleep(c.window / 2)
					w.Consumed(m, first/2, c.most, rtt)
				}
				if grew := w.Size() > first; grew != c.grows {
					t.Errorf("the window is %d", w.Size())
				}
				w.Close(m)
				if m.Used() != 0 || m.Grown() != 0 {
					t.Errorf("%d bytes kept, %d of them growth", m.Used(), m.Grown())
				}
			})
		})
	}
}

// TestSmallestGrows: a stream that was admitted with its start alone grows like any
// other.
func TestSmallestGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(limit)
		w := new(Window)
		w.Init(start, 0)
		m.Admit(start, start)
		for range 6 {
			turn(t, m, w, rtt)
		}
		if w.Size() < 16*start {
			t.Errorf("the window is %d", w.Size())
		}
	})
}

// TestGrowthLeavesRoom: streams that grew and stalled keep what they have, and
// each later one still finds half of the rest; new ones find their start.
func TestGrowthLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(limit)
		pool := int64(limit / 8 * 5)
		for left := pool; left > 1<<20; left -= left / 2 {
			w := open(t, m)
			for range 15 {
				turn(t, m, w, rtt)
			}
			if grown := w.Size() - first; grown < left/2-worthwhile || grown > left/2 {
				t.Fatalf("a stream grew by %d where %d were left", grown, left)
			}
		}
		streams := 0
		for ; ; streams++ {
			if _, ok := m.Admit(start, first); !ok {
				break
			}
		}
		if streams < limit/4/start {
			t.Errorf("beside full growth there was room for %d streams, want %d", streams, limit/4/start)
		}
	})
}

// TestShares: of streams that are all held back none keeps more than the others
// for having been there first.
func TestShares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams = 8
		m := newMemory(limit)
		windows := []*Window{open(t, m)}
		for range 15 {
			turn(t, m, windows[0], rtt)
		}
		alone := windows[0].Size()
		for range streams - 1 {
			windows = append(windows, open(t, m))
		}
		var readers sync.WaitGroup
		for _, w := range windows {
			readers.Go(func() {
				for range 40 {
					turn(t, m, w, rtt)
				}
			})
		}
		readers.Wait()
		least, largest := alone, int64(0)
		for _, w := range windows {
			least, largest = min(least, w.Size()), max(largest, w.Size())
		}
		t.Logf("alone %d KiB, then %d to %d KiB", alone>>10, least>>10, largest>>10)
		if largest > 2*least {
			t.Errorf("windows of %d and %d bytes", least, largest)
		}
		if sum := m.Grown(); sum < limit/2 {
			t.Errorf("only %d bytes are in use", sum)
		}
	})
}

// TestCatchingUpIsNoSpeed: a reader that was held up and takes in one go what has
// piled up is no faster for it.
func TestCatchingUpIsNoSpeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(limit)
		w := open(t, m)
		for range 100 {
			w.Received(first)
			time.Sleep(5 * rtt)
			for range 8 {
				w.Consumed(m, first/8, most, rtt)
			}
		}
		if w.Size() != first {
			t.Errorf("the window is %d", w.Size())
		}
	})
}

func TestRTT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r RTT
		if r.Min() != 0 {
			t.Error("a round trip that nobody measured")
		}
		for _, step := range []struct{ trip, want time.Duration }{{9, 9}, {5, 5}, {50, 5}, {0, 1}, {7, 1}} {
			if r.Observe(step.trip); r.Min() != step.want {
				t.Errorf("after %d: %d, want %d", step.trip, r.Min(), step.want)
			}
		}
		// The path has become longer: that is believed in time, not at once.
		time.Sleep(memoryOfTrips)
		if r.Observe(40); r.Min() != 1 {
			t.Errorf("%d at once", r.Min())
		}
		time.Sleep(memoryOfTrips)
		if r.Observe(60); r.Min() != 40 {
			t.Errorf("%d in the end, want 40", r.Min())
		}
	})
}

// TestConcurrent: the books balance whatever happens at the same time.
func TestConcurrent(t *testing.T) {
	m := newMemory(1 << 20)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				extra, ok := m.Admit(start, first)
				if !ok {
					continue
				}
				w := new(Window)
				w.Init(start, extra)
				var both sync.WaitGroup
				both.Go(func() { w.Close(m) })
				for range 20 {
					w.Received(2 << 10)
					w.Consumed(m, 2<<10, most, time.Hour)
					if m.Used() > m.Limit() {
						t.Error("beyond the limit")
					}
				}
				both.Wait()
				w.Close(m)
			}
		})
	}
	wg.Wait()
	if m.Used() != 0 || m.Grown() != 0 || m.base.Load() != 0 {
		t.Errorf("%d bytes used, %d growth, %d first windows", m.Used(), m.Grown(), m.base.Load())
	}
}

func BenchmarkConsumed(b *testing.B) {
	m := newMemory(limit)
	extra, _ := m.Admit(start, first)
	w := new(Window)
	w.Init(start, extra)
	b.ReportAllocs()
	for b.Loop() {
		w.Received(16 << 10)
		w.Consumed(m, 16<<10, most, 0)
	}
}
