package mux

import (
	"bufio"
	"fmt"
	"io"
)

// readBuffer is what one conn read may bring beyond the frame at hand. Payloads
// larger than what is buffered bypass it.
const readBuffer = 4 << 10

// read serves the peer's frames until the conn fails or the peer breaks the
// protocol. Nothing in it waits for a stream's consumer.
func (s *Session) read() error {
	r := bufio.NewReaderSize(listener{s}, readBuffer)
	for {
		b, err := r.Peek(headerSize)
		if err != nil {
			return endOfConn(err)
		}
		h, err := parseHeader(b)
		if err != nil {
			return err
		}
		r.Discard(headerSize)
		switch h.typ {
		case typePing:
			err = s.handlePing(h)
		case typeGoAway:
			err = s.handleGoAway(h)
		default:
			err = s.handleStream(r, h)
		}
		if err != nil {
			return err
		}
	}
}

// listener reads the conn and notes that the peer is alive: on a slow link a
// single frame may take longer than the keepalive is patient.
type listener struct{ s *Session }

func (l listener) Read(p []byte) (int, error) {
	n, err := l.s.conn.Read(p)
	if n > 0 {
		l.s.heard.Add(1)
	}
	return n, err
}

func (s *Session) handlePing(h header) error {
	switch h.flags {
	case flagSYN:
		return s.overtake(header{typ: typePing, flags: flagACK, length: h.length})
	case flagACK:
		s.ping.pong(h.length)
		return nil
	}
	return fmt.Errorf("%w: ping with flags %#x", ErrProtocol, h.flags)
}

func (s *Session) handleGoAway(h header) error {
	if h.length != goAwayNormal {
		return fmt.Errorf("%w: the peer gave up with reason %d", ErrProtocol, h.length)
	}
	s.goneAway.Store(true)
	return nil
}

// handleStream serves a data or window frame and its flags.
func (s *Session) handleStream(r *bufio.Reader, h header) error {
	if h.flags&flagSYN != 0 {
		if err := s.accept(h); err != nil {
			return err
		}
	}
	st := s.lookup(h.id)
	if st == nil {
		return s.ignore(r, h)
	}
	if h.flags&flagRST != 0 {
		st.peerReset(&ResetError{Reason: Reason(h.length)})
		if h.typ == typeData {
			return fmt.Errorf("%w: data frame with RST", ErrProtocol)
		}
		return nil
	}
	if h.typ == typeData {
		if err := st.receive(r, int64(h.length)); err != nil {
			return err
		}
	} else if err := st.granted(h); err != nil {
		return err
	}
	if h.flags&flagFIN != 0 {
		st.peerFinished()
	}
	if h.flags&flagStop != 0 && !s.cfg.Plain {
		st.peerStopped(errStopped)
	}
	return nil
}

// granted adds the window update of h.
func (st *Stream) granted(h header) error {
	st.mu.Lock()
	over := int64(st.credit)+int64(h.length) > 1<<30
	st.mu.Unlock()
	if over {
		return fmt.Errorf("%w: stream %d granted a window beyond 1 GiB", ErrProtocol, h.id)
	}
	if h.length > 0 {
		st.addCredit(int(h.length))
	}
	return nil
}

// accept takes a stream that the peer opens. One that cannot be taken is
// refused; one that breaks the numbering ends the session.
func (s *Session) accept(h header) error {
	start := int64(s.cfg.startWindow())
	extra, haveMemory := s.mem.Admit(start, baseWindow)
	s.mu.Lock()
	if s.ours(h.id) || h.id <= s.lastPeer {
		s.mu.Unlock()
		if haveMemory {
			s.mem.Return(start, extra)
		}
		return fmt.Errorf("%w: the peer opened stream %d after %d", ErrProtocol, h.id, s.lastPeer)
	}
	s.lastPeer = h.id
	refuse := !haveMemory || s.cfg.Accept == nil || s.refusing.Load() ||
		s.streams == nil || s.incoming >= s.cfg.maxStreams()
	var st *Stream
	if !refuse {
		st = newStream(s, h.id, s.cfg.startWindow(), extra)
		s.streams[h.id] = st
		s.incoming++
	}
	s.mu.Unlock()
	if refuse {
		if haveMemory {
			s.mem.Return(start, extra)
		}
		return s.overtake(header{typ: typeWindow, flags: flagRST, id: h.id, length: uint32(ReasonRefused)})
	}
	if err := s.overtake(header{typ: typeWindow, flags: flagACK, id: h.id, length: uint32(extra)}); err != nil {
		st.gone() // nobody will ever hear of it
		return err
	}
	s.cfg.Accept(st)
	return nil
}

// ignore skips a frame for a stream that has ended here, and refuses one that
// never was.
func (s *Session) ignore(r *bufio.Reader, h header) error {
	s.mu.Lock()
	known := h.id <= s.lastPeer
	if s.ours(h.id) {
		known = h.id < s.nextID
	}
	s.mu.Unlock()
	if !known {
		return fmt.Errorf("%w: frame for stream %d, which was never opened", ErrProtocol, h.id)
	}
	if h.typ == typeData {
		if _, err := io.CopyN(io.Discard, r, int64(h.length)); err != nil {
			return endOfConn(err)
		}
	}
	return nil
}

// receive moves n bytes of payload into the stream's buffer. It waits for the
// conn only: the window has bounded what can come. Readers are woken for full
// pieces, not for what of a frame came with its header.
func (st *Stream) receive(r *bufio.Reader, n int64) error {
	if !st.win.Received(n) {
		return fmt.Errorf("%w: stream %d sent %d bytes beyond its window", ErrProtocol, st.id, n)
	}
	if st.recv.Ended() != nil {
		return fmt.Errorf("%w: data on stream %d after its end", ErrProtocol, st.id)
	}
	for n > 0 {
		p := st.recv.Reserve(int(n))
		m, err := io.ReadFull(r, p)
		st.recv.Commit(m)
		if err != nil {
			return endOfConn(err)
		}
		n -= int64(m)
	}
	return nil
}
