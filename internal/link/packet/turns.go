package packet

import (
	"github.com/sallyport/sallyport/internal/wire"
)

// turn is what a connection waits with; guarded by writer.mu.
type turn struct {
	rest       []byte // of the Write that waits
	queued     bool
	finished   bool // no more DATA may be sent
	prev, next *Conn
	wake       chan struct{} // one token: queued may be false. Made when needed
}

// nextData takes a packet off the Write whose turn it is, and gives the next one
// its turn.
func (w *writer) nextData() *wire.Packet {
	st := w.first
	p := w.take(st)
	if len(st.turn.rest) == 0 {
		w.dequeue(st)
	} else {
		w.first = st.turn.next
	}
	return p
}

// take copies the next packet's worth of bytes. w.mu is held.
func (w *writer) take(st *Conn) *wire.Packet {
	p, buf := wire.NewData(st.id, min(len(st.turn.rest), w.c.cfg.maxData()))
	st.turn.rest = st.turn.rest[copy(buf, st.turn.rest):]
	return p
}

// enqueue puts st at the end of the ring. w.mu is held.
func (w *writer) enqueue(st *Conn) {
	t := &st.turn
	if t.wake == nil {
		t.wake = make(chan struct{}, 1)
	}
	t.queued = true
	if w.first == nil {
		w.first, t.next, t.prev = st, st, st
		return
	}
	last := w.first.turn.prev
	t.prev, t.next = last, w.first
	last.turn.next, w.first.turn.prev = st, st
}

// dequeue takes st out of the ring, if it is in, and wakes its Write. w.mu is held.
func (w *writer) dequeue(st *Conn) {
	t := &st.turn
	if !t.queued {
		return
	}
	t.queued = false
	if t.next == st {
		w.first = nil
	} else {
		t.prev.turn.next, t.next.turn.prev = t.next, t.prev
		if w.first == st {
			w.first = t.next
		}
	}
	t.prev, t.next = nil, nil
	select {
	case t.wake <- struct{}{}:
	default:
	}
}
