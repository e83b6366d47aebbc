package mux

import (
	"io"
	"net"
)

// CloseWrite ends our direction: the peer reads what was written and then
// io.EOF. Reading goes on.
func (st *Stream) CloseWrite() error {
	st.mu.Lock()
	switch {
	case st.closed:
		st.mu.Unlock()
		return st.opError("close", net.ErrClosed)
	case !st.endWrite(net.ErrClosed):
		st.mu.Unlock()
		return nil
	}
	st.mu.Unlock()
	st.s.w.finish(st, header{typ: typeWindow, flags: flagFIN, id: st.id})
	return nil
}

// Close ends both directions. What was written before still arrives; what the
// peer has sent and nobody has read is dropped, and the peer learns that
// writing is of no more use. Close does not wait. A second one returns
// net.ErrClosed.
func (st *Stream) Close() error {
	st.mu.Lock()
	if st.closed {
		st.mu.Unlock()
		return st.opError("close", net.ErrClosed)
	}
	st.closed = true
	open := st.endWrite(net.ErrClosed)
	st.werr = net.ErrClosed // whatever ended writing before, now it was us
	st.onStop = nil
	reset := st.reset
	st.mu.Unlock()
	switch {
	case reset:
	case !st.s.cfg.Plain:
		st.s.w.finish(st, header{typ: typeWindow, flags: flagFIN | flagStop, id: st.id})
	case open: // a second FIN would end a plain peer's session
		st.s.w.finish(st, header{typ: typeWindow, flags: flagFIN, id: st.id})
	}
	st.gone()
	return nil
}

// StopRead says that nothing more will be read: what is unread or still comes is
// dropped, and the peer's writes fail. Writing goes on. The reason is not sent.
func (st *Stream) StopRead(error) {
	st.mu.Lock()
	gone := st.closed || st.reset
	st.mu.Unlock()
	if gone {
		return
	}
	st.recv.Close()
	if !st.s.cfg.Plain {
		st.s.overtake(header{typ: typeWindow, flags: flagStop, id: st.id})
	}
}

// Reset ends both directions at once. The peer's calls fail with an error of
// reason's kind behind the bytes it already has. It returns net.ErrClosed when
// the stream was closed before.
func (st *Stream) Reset(reason Reason) error {
	st.mu.Lock()
	if st.closed {
		st.mu.Unlock()
		return st.opError("close", net.ErrClosed)
	}
	st.closed = true
	st.endWrite(net.ErrClosed)
	st.werr = net.ErrClosed
	st.onStop = nil
	reset := st.reset
	st.mu.Unlock()
	if !reset {
		st.s.w.finish(st, header{typ: typeWindow, flags: flagRST, id: st.id, length: uint32(reason)})
	}
	st.gone()
	return nil
}

// gone releases what a locally closed stream holds, and takes it out of its
// session: frames that still arrive for it are ignored, for its number is never
// used again. Only the local end does this. A peer that opens and resets streams
// in a hurry is still held to the limit of those that are being served.
func (st *Stream) gone() {
	st.recv.Close()
	st.writeDeadline.Stop()
	st.s.remove(st)
}

// OnPeerStop arranges that f is called once when the peer will read no more: it
// closed or reset the stream, or the session ended. f runs on the session's
// reader, or on the caller's goroutine when it has happened already; it must not
// block. cancel takes f back; it reports whether f will not be called.
func (st *Stream) OnPeerStop(f func()) (cancel func() bool) {
	st.mu.Lock()
	if st.stopped {
		st.mu.Unlock()
		f()
		return func() bool { return false }
	}
	defer st.mu.Unlock()
	st.onStop = f
	return func() bool {
		st.mu.Lock()
		defer st.mu.Unlock()
		had := st.onStop != nil
		st.onStop = nil
		return had
	}
}

// peerStopped handles the peer's full close: its direction may go on until its
// FIN, ours is over.
func (st *Stream) peerStopped(err error) {
	st.mu.Lock()
	f := st.stop(err)
	st.mu.Unlock()
	f()
}

// stop ends writing with err and returns whom to tell. st.mu is held.
func (st *Stream) stop(err error) (tell func()) {
	st.stopped = true
	st.endWrite(err)
	if tell = st.onStop; tell == nil {
		tell = func() {}
	}
	st.onStop = nil
	return tell
}

// PeerFinished reports whether the peer has sent all it will, in good order, and
// all of it is here.
func (st *Stream) PeerFinished() bool { return st.recv.Ended() == io.EOF }

// peerFinished handles FIN: after what is buffered comes io.EOF.
func (st *Stream) peerFinished() { st.recv.End(io.EOF) }

// peerReset handles RST, and the end of the session for each stream.
func (st *Stream) peerReset(err error) {
	st.mu.Lock()
	st.reset = true
	f := st.stop(err) // before readers learn of it: whoever has seen a reset cannot write
	st.mu.Unlock()
	st.recv.End(err)
	f()
}
