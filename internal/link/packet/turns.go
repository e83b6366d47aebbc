package packet

import (
	"math"

	"github.com/sallyport/sallyport/internal/wire"
)

// turn is what a connection waits with; guarded by writer.mu.
type turn struct {
	rest       []byte // of the Write that waits
	writing    bool   // a Write waits
	number     uint64 // of it
	queued     bool   // in the ring: it waits for nothing but its turn
	finished   bool   // no more DATA may be sent
	credit     int64  // bytes that the peer takes
	prev, next *Conn
	wake       chan struct{} // one token: the Write has to look. Made when needed

	grant     int64 // bytes to let the peer send, that it has not been told of
	nextGrant *Conn
}

// unlimited is the credit where the peer does not say what it takes.
const unlimited = math.MaxInt64

// nextData takes a packet off the Write whose turn it is, and gives the next one
// its turn.
func (w *writer) nextData() *wire.Frame {
	st := w.first
	f := w.take(st)
	switch {
	case len(st.turn.rest) == 0:
		w.settle(st)
	case st.turn.credit == 0:
		w.unlink(st)
	default:
		w.first = st.turn.next
	}
	return f
}

// take copies the next packet's worth of bytes. w.mu is held.
func (w *writer) take(st *Conn) *wire.Frame {
	t := &st.turn
	n := int(min(int64(len(t.rest)), int64(w.c.cfg.maxData()), t.credit))
	if t.credit != unlimited {
		t.credit -= int64(n)
	}
	f := wire.NewFrame(st.id, n)
	t.rest = t.rest[copy(f.Payload(), t.rest):]
	return f
}

// wait has st's Write wait: for its turn if it has credit. w.mu is held.
func (w *writer) wait(st *Conn) {
	t := &st.turn
	t.writing = true
	t.number++
	if t.wake == nil {
		t.wake = make(chan struct{}, 1)
	}
	if t.credit > 0 {
		w.enqueue(st)
	}
}

// enqueue puts st at the end of the ring. w.mu is held.
func (w *writer) enqueue(st *Conn) {
	t := &st.turn
	t.queued = true
	if w.first == nil {
		w.first, t.next, t.prev = st, st, st
		return
	}
	last := w.first.turn.prev
	t.prev, t.next = last, w.first
	last.turn.next, w.first.turn.prev = st, st
}

// unlink takes st out of the ring, if it is in. w.mu is held.
func (w *writer) unlink(st *Conn) {
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
}

// settle ends the waiting of st's Write, if one waits. w.mu is held.
func (w *writer) settle(st *Conn) {
	w.unlink(st)
	if st.turn.writing {
		st.turn.writing = false
		st.wakeWrite()
	}
}

// wakeWrite has the Write that waits look again.
func (st *Conn) wakeWrite() {
	select {
	case st.turn.wake <- struct{}{}:
	default:
	}
}

// credited lets st send n bytes more. It reports whether that makes sense.
func (w *writer) credited(st *Conn, n int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := &st.turn
	if t.credit > maxCredit || n > maxCredit {
		return false
	}
	t.credit += n
	if t.writing && !t.queued && t.credit > 0 {
		w.enqueue(st)
		w.pass()
	}
	return true
}

// grant lets the peer know that it may send n bytes more to st. However many
// grants there are, one packet of each connection waits at most.
func (w *writer) grant(st *Conn, n int64) {
	w.mu.Lock()
	t := &st.turn
	if t.grant == 0 {
		if w.lastGrant == nil {
			w.grants = st
		} else {
			w.lastGrant.turn.nextGrant = st
		}
		w.lastGrant = st
	}
	t.grant += n
	w.drive(nil)
}

// nextGrant takes the grant that waits longest.
func (w *writer) nextGrant() *wire.Packet {
	st := w.grants
	t := &st.turn
	p := &wire.Packet{Type: wire.Window, ConnectID: st.id, Window: t.grant}
	w.grants, t.nextGrant, t.grant = t.nextGrant, nil, 0
	if w.grants == nil {
		w.lastGrant = nil
	}
	return p
}

// Unsent returns a function that reports whether anything is still waiting for a
// window or its turn of what waits now.
func (c *Carrier) Unsent() func() bool {
	waiting := make(map[*Conn]uint64)
	for _, st := range c.list() {
		if n, writing := c.w.writes(st); writing {
			waiting[st] = n
		}
	}
	return func() bool {
		for st, n := range waiting {
			if now, writing := c.w.writes(st); !writing || now != n {
				delete(waiting, st)
			}
		}
		return len(waiting) > 0
	}
}

// writes tells the Writes of st from each other, and whether one waits.
func (w *writer) writes(st *Conn) (number uint64, waits bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return st.turn.number, st.turn.writing
}
