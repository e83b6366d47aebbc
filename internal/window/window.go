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
	last     time.Time // of the last grant
	begin    time.Time // of the time in which the reader's speed is measured
	moved    int64     // bytes read in it
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
	if w.begin.IsZero() {
		w.begin = time.Now()
		w.last = w.begin
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
	w.moved += n
	size := w.size()
	if w.pending < enough(size) || w.returned {
		return 0, 0
	}
	now := time.Now()
	took = now.Sub(w.last)
	grant = w.pending + w.resize(m, w.want(now, most, rtt))
	w.pending, w.last = 0, now
	w.left += grant
	return grant, took
}

// nearest is what a shorter round trip counts as. On a machine's own network the
// wake-ups of busy processes take longer than the road, and a window that knew only
// the road would have them wait for each other.
const nearest = 2 * time.Millisecond

// atLeast is how long a reader's speed is measured at least. One that was held up
// and catches up looks much faster than it is.
const atLeast = 5 * time.Millisecond

// want returns by how much the window should grow. A reader that takes a whole
// window in less than four round trips is held back by it: the window doubles, or
// goes to what four round trips would carry, but to four times its size at most.
// w.mu is held.
func (w *Window) want(now time.Time, most int64, rtt time.Duration) int64 {
	size, spent := w.size(), now.Sub(w.begin)
	if w.moved < size || spent < atLeast {
		return 0
	}
	carried := 4 * float64(max(rtt, nearest)) * float64(w.moved) / float64(spent)
	w.begin, w.moved = now, 0
	if rtt == 0 || carried <= float64(size) {
		return 0
	}
	more := min(max(int64(carried)-size, size), 3*size)
	return max(min(more, most-size), 0)
}

// resize returns by how much the window grows, which is want at most, or shrinks
// when that is negative: never by more than what would be granted. w.mu is held.
func (w *Window) resize(m *Memory, want int64) int64 {
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
