package packet

import (
	"io"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/wire"
)

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

// OnPeerReset arranges that f is called once the peer resets the connection: what
// is here need not be delivered any more. It must be called before any Read, and f
// must not block.
func (st *Conn) OnPeerReset(f func()) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.onReset = f
	if st.wasReset {
		f()
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
	if reset != nil {
		st.peerReset()
	}
	st.c.forget(st, true)
}

func (st *Conn) peerReset() {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.wasReset = true
	if st.onReset != nil {
		st.onReset()
	}
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
