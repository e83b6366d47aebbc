package mux

import (
	"sync"
	"time"
)

// window is the receiving side's account of one stream: what the peer may still
// send, and how large the window has become.
type window struct {
	mu       sync.Mutex
	size     int64     // bytes granted at most at any moment: the three below
	start    int64     // what both ends assume
	extra    int64     // what the stream was admitted with beyond
	grown    int64     // what it grew by
	left     int64     // of it, what the peer may still send
	pending  int64     // read since the last update
	last     time.Time // of the last update
	returned bool
}

func (w *window) init(start, extra int64) {
	w.start, w.extra = start, extra
	w.size, w.left = start+extra, start+extra
}

// received takes n bytes off what the peer may send. It reports false when the
// peer sent more than it was granted.
func (w *window) received(n int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n > w.left {
		return false
	}
	if w.left == w.size {
		w.last = time.Now() // a burst begins; the pause before it says nothing
	}
	w.left -= n
	return true
}

// consumed accounts for n bytes read, and returns how many to grant now; zero
// while an update is not worth a frame.
//
// A reader that takes half a window in less than two round trips is held back by
// the window, not by itself, so the window doubles.
func (w *window) consumed(s *Session, n int64) int64 {
	w.mu.Lock()
	w.pending += n
	if w.pending < w.size/2 || w.returned {
		w.mu.Unlock()
		return 0
	}
	now := time.Now()
	took, grant := now.Sub(w.last), w.pending
	if s.hungry(took) {
		grant += w.enlarge(s)
	}
	w.pending, w.last = 0, now
	w.left += grant
	w.mu.Unlock()
	s.ping.want(took) // without the lock: it may end the session
	return grant
}

// enlarge grows the window if the session's memory allows. w.mu is held.
func (w *window) enlarge(s *Session) int64 {
	if s.cfg.Plain {
		return 0
	}
	want := min(w.size, int64(s.cfg.maxWindow())-w.size)
	if want <= 0 {
		return 0
	}
	more := s.mem.grow(want, w.grown)
	w.grown += more
	w.size += more
	return more
}

// close gives the window's memory back, once.
func (w *window) close(m *memory) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.returned {
		w.returned = true
		m.give(w.start, w.extra, w.grown)
	}
}
