package packet

import (
	"io"
	"net"
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
	st.release(last)
	return nil
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
	st.release(last)
	if !lost && st.c.cfg.OnReset != nil {
		st.c.cfg.OnReset(st.id)
	}
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
// packet.
func (st *Conn) release(last *wire.Packet) {
	st.recv.Close()
	st.writeDeadline.Stop()
	st.c.read(st)
	st.leave(last)
}

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
		st.c.w.finish(st, last, func() { st.c.forget(st, hopeless) })
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
	if last != nil && st.c.cfg.OnReset != nil {
		st.c.cfg.OnReset(st.id)
	}
}

// OnPeerStop arranges that f is called once when the peer will read no more: it
// closed or reset the connection, or the stream ended. f may run on the
// caller's goroutine, when that has happened already; it must not block. cancel
// takes f back.
func (st *Conn) OnPeerStop(f func()) (cancel func()) {
	st.mu.Lock()
	if st.stopped {
		st.mu.Unlock()
		f()
		return func() {}
	}
	defer st.mu.Unlock()
	st.onStop = f
	return func() {
		st.mu.Lock()
		defer st.mu.Unlock()
		st.onStop = nil
	}
}

// stop ends writing with err and returns whom to tell. st.mu is held.
func (st *Conn) stop(err error) (tell func()) {
	st.stopped = true
	if st.werr == nil {
		st.werr = err
	}
	if tell = st.onStop; tell == nil {
		tell = func() {}
	}
	st.onStop = nil
	return tell
}

// PeerFinished reports whether the peer has sent all it will, in good order, and
// all of it is here.
func (st *Conn) PeerFinished() bool { return st.recv.Ended() == io.EOF }

// peerFinished handles HALF_CLOSE.
func (st *Conn) peerFinished() {
	st.mu.Lock()
	st.heardEnd = true
	over := st.told && !st.ending
	st.mu.Unlock()
	st.recv.End(io.EOF)
	if over {
		st.c.forget(st, false)
	}
}

// peerCloses handles CLOSE_REQ: the peer reads no more and awaits our answer.
func (st *Conn) peerCloses() {
	st.mu.Lock()
	st.heardEnd = true
	crossed, closed := st.ending, st.closed
	st.asked = !crossed
	tell := st.stop(errStopped)
	st.mu.Unlock()
	st.c.w.stop(st)
	st.recv.End(io.EOF)
	tell()
	switch {
	case crossed && st.c.cfg.Opener:
		st.c.forget(st, true) // both have asked, and nobody is left to answer
	case closed:
		st.drained()
	}
}

// peerClosed handles CLOSE_RSP: the peer has forgotten st.
func (st *Conn) peerClosed(p *wire.Packet) {
	var reset error
	if p.Error != "" || p.Kind != 0 {
		text := p.Error[:min(len(p.Error), 1<<10)]
		reset = &ResetError{Kind: dialer.Kind(p.Kind), Text: text}
	}
	st.ended(reset)
	st.c.forget(st, true)
}

// streamEnded handles the end of the stream for a connection that had not ended.
func (st *Conn) streamEnded(err error) {
	st.ended(err)
	st.forgotten()
}

// cannotSend handles a stream that takes no more packets.
func (st *Conn) cannotSend(err error) {
	st.mu.Lock()
	tell := st.stop(err)
	st.mu.Unlock()
	st.c.w.stop(st)
	tell()
}

// ended ends st from the peer's side: with io.EOF, or with a reset.
func (st *Conn) ended(reset error) {
	werr, rerr := errStopped, io.EOF
	if reset != nil {
		werr, rerr = reset, reset
	}
	st.mu.Lock()
	st.gone = true
	tell := st.stop(werr) // before readers learn of it: whoever has seen a reset cannot write
	st.mu.Unlock()
	st.c.w.stop(st)
	st.recv.End(rerr)
	st.c.consumed(st)
	tell()
}

// forgotten ends what waits for the peer's answer.
func (st *Conn) forgotten() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.gone = true
	if st.forgetter != nil {
		st.forgetter.Stop()
		st.forgetter = nil
	}
}
