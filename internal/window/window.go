package window

import (
	"sync"
	"time"
)

// Window is the receiving side's account of one stream: what the peer may still
// send, and how large the window has become. It is safe for concurrent use. The
// zero value lets nothing in; see Init.
type Window struct {
	mu       sync.Mutex
	start    int64     // what both ends assume
	extra    int64     // what the stream was admitted with beyond
	grown    int64     // what it grew by
	left     int64     // of all that, what the peer may still send
	pending  int64     // read since the last grant
	last     time.Time // of the last grant, or the begin of a burst
	returned bool
}

// Init makes w the window of a stream for which [Memory.Admit] gave extra.
func (w *Window) Init(start, extra int64) {
	w.start, w.extra, w.left = start, extra, start+extra
}

// Size returns how many bytes are granted at most at any moment.
func (w *Window) Size() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size()
}

func (w *Window) size() int64 { return w.start + w.extra + w.grown }

// Received takes n bytes off what the peer may send. It reports false when the
// peer sent more than it was granted.
func (w *Window) Received(n int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n > w.left {
		return false
	}
	if w.left == w.size() {
		w.last = time.Now() // a burst begins; the pause before it says nothing
	}
	w.left -= n
	return true
}

// enough is how much must have been read before a grant is worth a frame: half
// of a small window; of a large one less, so that the peer hears of it in time.
func enough(size int64) int64 {
	switch {
	case size < 128<<10:
		return size / 2
	case size < 1<<20:
		return size / 4
	}
	return size / 8
}

// Consumed accounts for n bytes read, and returns how many to grant the peer now;
// zero while that is not worth a frame. The window grows to most bytes at most,
// and while rtt, the round trip, is not known (zero) not at all; if most is not
// above its size it stays as it is. took is how long the bytes of this grant have
// taken: what rtt should be about as young as.
func (w *Window) Consumed(m *Memory, n, most int64, rtt time.Duration) (grant int64, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending += n
	size := w.size()
	if w.pending < enough(size) || w.returned {
		return 0, 0
	}
	now := time.Now()
	took = now.Sub(w.last)
	grant = w.pending + w.resize(m, most, took, rtt)
	w.pending, w.last = 0, now
	w.left += grant
	return grant, took
}

// resize returns by how much the window grows, or shrinks when that is negative:
// never by more than what would be granted. w.mu is held.
func (w *Window) resize(m *Memory, most int64, took, rtt time.Duration) int64 {
	size := w.size()
	want := min(size, most-size)
	// A reader that would take a whole window in less than four round trips is held
	// back by the window. size/pending is at most 8, so nothing overflows.
	if want < 0 || float64(took)*float64(size) >= 4*float64(rtt)*float64(w.pending) {
		want = 0
	}
	by := m.grow(want, w.grown)
	if by < 0 {
		by = -min(-by, w.pending, w.grown)
		m.shrink(-by)
	}
	w.grown += by
	return by
}

// Close gives the window's memory back, once. Nothing is granted any more.
func (w *Window) Close(m *Memory) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.returned {
		w.returned = true
		m.give(w.start, w.extra, w.grown)
	}
}
