package packet

import (
	"net"
	"slices"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/wire"
)

// CloseWrite ends our direction: the peer reads what was written and then
// io.EOF. Reading goes on.
func (h *HalfCloser) CloseWrite() error {
	st := h.Conn
	st.mu.Lock()
	switch {
	case st.closed:
		st.mu.Unlock()
		return st.opError("close", net.ErrClosed)
	case st.werr != nil:
		st.mu.Unlock()
		return nil
	}
	st.werr = net.ErrClosed
	st.finished = true
	st.mu.Unlock()
	st.c.w.finish(st, &wire.Packet{Type: wire.HalfClose, ConnectID: st.id}, st.sentHalfClose)
	return nil
}

// Close ends both directions. What was written before still arrives; what the
// peer has sent and nobody has read is dropped. Close does not wait. A second
// one returns net.ErrClosed.
func (st *Conn) Close() error {
	st.mu.Lock()
	if st.closed {
		st.mu.Unlock()
		return st.opError("close", net.ErrClosed)
	}
	last := st.shut(nil)
	st.mu.Unlock()
	st.release(last, st.graceLeft())
	return nil
}

// graceLeft is how long a CLOSE_REQ has to wait behind what was written.
func (st *Conn) graceLeft() time.Duration {
	if st.c.cfg.Grace <= 0 || st.c.extended.Load() {
		return 0
	}
	return time.Until(time.Unix(0, st.wrote.Load()).Add(st.c.cfg.Grace))
}

// Reset ends both directions because of err. The peer's calls fail where the
// protocol can say so: when this end is the one that answers, when both ends are
// ours, or when the stream carries this connection alone. It returns
// net.ErrClosed when the connection was closed before.
func (st *Conn) Reset(err error) error {
	st.mu.Lock()
	if st.closed {
		st.mu.Unlock()
		return st.opError("close", net.ErrClosed)
	}
	if err == nil {
		err = dialer.ErrReset
	}
	lost := st.gone
	last := st.shut(err)
	st.mu.Unlock()
	st.release(last, 0)
	if !lost && st.c.cfg.Single && last != nil && last.Type == wire.CloseReq {
		st.c.Close(err) // the end of the stream is the only reset there is
	}
	return nil
}

// shut marks st as closed here and returns the packet that tells the peer, if
// it has to be told. st.mu is held.
func (st *Conn) shut(err error) *wire.Packet {
	st.closed = true
	st.werr = net.ErrClosed // whatever ended writing before, now it was us
	st.onStop = nil
	return st.farewell(err)
}

// farewell returns our last packet about st, or nil when the peer needs none.
// err is why it is a reset; nil when it is none. st.mu is held.
func (st *Conn) farewell(err error) *wire.Packet {
	if st.gone || st.ending || err == nil && st.finished && st.heardEnd && !st.asked {
		return nil
	}
	st.ending = true
	p := &wire.Packet{Type: wire.CloseRsp, ConnectID: st.id}
	switch {
	case err != nil && (st.c.extended.Load() || !st.c.cfg.Opener):
		p.Error, p.Kind = words(err), uint8(dialer.KindOf(err))
	case st.asked:
		st.asked = false
	case st.c.cfg.Opener:
		p.Type = wire.CloseReq
	}
	return p
}

// words are err's, never empty and of bounded length.
func words(err error) string {
	const maxText = 1 << 10
	s := err.Error()
	if s == "" {
		s = "reset"
	}
	return s[:min(len(s), maxText)]
}

// release drops what a connection that was closed here holds, and sends its last
// packet, a CLOSE_REQ after the given grace.
func (st *Conn) release(last *wire.Packet, grace time.Duration) {
	st.recv.Close()
	st.writeDeadline.Stop()
	st.c.read(st)
	st.win.Close(&st.c.memory)
	if last != nil && last.Type == wire.CloseReq && grace > 0 {
		st.leaveAfter(grace, last)
		return
	}
	st.leave(last)
}

// leaveAfter is leave, later. When the peer closes or the stream ends before,
// nothing is left to say.
func (st *Conn) leaveAfter(grace time.Duration, last *wire.Packet) {
	st.c.w.stop(st)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.gone {
		return
	}
	st.graced = true
	st.forgetter = time.AfterFunc(grace, func() {
		st.leave(last)
		st.mu.Lock()
		st.graced = false
		st.mu.Unlock()
	})
}

// isGraced reports whether the connection was closed and its CLOSE_REQ waits for
// the end of its Grace.
func (st *Conn) isGraced() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.graced && !st.gone
}

// Graced reports whether a CLOSE_REQ still waits for the end of its Grace, which
// is the longest it takes.
func (c *Carrier) Graced() bool { return slices.ContainsFunc(c.list(), (*Conn).isGraced) }

// leave ends writing, with a last packet unless it is nil.
func (st *Conn) leave(last *wire.Packet) {
	switch {
	case last == nil:
		st.c.w.stop(st)
	case last.Type == wire.CloseReq:
		st.c.w.finish(st, last, st.awaitAnswer)
	default: // a CLOSE_RSP is not answered
		hopeless := last.Error != "" || st.isAnswer()
		if hopeless && st.c.cfg.Single {
			st.c.hurry()
		}
		st.c.w.finish(st, last, func() {
			st.c.answered(st.id) // what is still on the road needs no further word
			st.c.forget(st, hopeless)
		})
	}
}

// awaitAnswer bounds the wait for the answer to our CLOSE_REQ, which is with gRPC
// now, and all that was written before it.
func (st *Conn) awaitAnswer() {
	wait := closeTime
	if st.c.cfg.Single {
		wait = drainTime
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.gone {
		st.forgetter = time.AfterFunc(wait, func() { st.c.forget(st, true) })
	}
}

// isAnswer reports whether our CLOSE_RSP answers a CLOSE_REQ, after which the
// peer takes no bytes.
func (st *Conn) isAnswer() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.stopped
}

// sentHalfClose notes that our HALF_CLOSE is with gRPC.
func (st *Conn) sentHalfClose() {
	st.mu.Lock()
	st.told = true
	over := st.heardEnd && !st.ending
	st.mu.Unlock()
	if over {
		st.c.forget(st, false)
	}
}

// drained answers the peer's CLOSE_REQ, now that the reader has taken all there
// was.
func (st *Conn) drained() {
	st.mu.Lock()
	var last *wire.Packet
	if st.asked {
		last = st.farewell(nil)
	}
	st.mu.Unlock()
	if last != nil {
		st.leave(last)
	}
}

// GiveUp resets the connection from below because of err: its user keeps too
// much unread, or does not read for too long. What is unread is dropped, and the
// user's calls fail with a reset. It still has to be closed.
func (st *Conn) GiveUp(err error) {
	st.mu.Lock()
	if st.closed {
		st.mu.Unlock()
		return
	}
	last := st.farewell(err)
	tell := st.stop(&brokenError{cause: err})
	st.mu.Unlock()
	st.recv.Abandon(&brokenError{cause: err})
	st.c.consumed(st)
	st.leave(last)
	tell()
}
