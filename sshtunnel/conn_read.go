package sshtunnel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/sallyport/sallyport/dialer"
)

// Reading ahead.
const (
	readAhead = 128 << 10 // a conn's own share, beside what package ssh holds
	readSmall = 2 << 10   // what an idle conn holds to read into
	readLarge = 16 << 10
)

// errPeerClosed is how a channel ends that the server closes without an end of
// file.
var errPeerClosed = os.NewSyscallError("ssh channel", syscall.ECONNRESET)

// errPeerGone is how writing ends when the server has closed the channel.
var errPeerGone = os.NewSyscallError("ssh channel", syscall.EPIPE)

// Read reads what the target has sent. It returns io.EOF at the end, and an
// error that is dialer.ErrReset where the channel has ended without one.
func (s *conn) Read(p []byte) (int, error) {
	s.wantMore()
	n, err := s.in.Read(p)
	if n > 0 {
		s.wantMore() // another reader may wait that found fill at work and full
	}
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, s.opError("read", err)
}

// wantMore has the channel read.
func (s *conn) wantMore() {
	s.mu.Lock()
	if s.reading || s.ended || s.closed || s.in.Len() >= readAhead {
		s.mu.Unlock()
		return
	}
	s.reading = true
	gone := s.gone
	if !gone {
		s.goOn(s.fill)
	}
	s.mu.Unlock()
	if gone {
		s.fill() // what is left is there, and reading it does not block
	}
}

// fill reads from the channel until there is enough, or no more. It holds little
// memory while nothing comes, and reads in large pieces once much does.
func (s *conn) fill() {
	size := readSmall
	for {
		b := s.in.Reserve(size)
		n, err := s.ch.Read(b)
		wanted := s.in.Commit(n)
		if err != nil {
			s.end(err)
			return
		}
		if size = readSmall; n == len(b) {
			size = readLarge
		}
		if !s.goOnReading(wanted) {
			return
		}
	}
}

// goOnReading reports whether fill is to read on.
func (s *conn) goOnReading(wanted bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = wanted && s.in.Len() < readAhead
	return s.reading
}

// end tells the readers what follows the last byte.
func (s *conn) end(err error) {
	if err == io.EOF {
		err = s.howItEnded()
	}
	if err != io.EOF {
		s.failWrites() // before a reader knows and tries to write
	}
	s.mu.Lock()
	s.reading, s.ended = false, true
	s.mu.Unlock()
	s.in.End(err)
}

// howItEnded tells an end of file from a reset. Package ssh reports the end of
// file, the close of the channel and the loss of the connection alike, and not
// in which order they came:
//
//   - A lost connection is a reset, whatever came before it; and so is one on which
//     somebody has changed a byte.
//   - While the channel is not closed there was an end of file.
//   - A closed channel had no end of file, or both came together. They do at the
//     end of a connection whose other direction this side had ended; otherwise
//     nobody who takes the bytes of this side closes the channel.
func (s *conn) howItEnded() error {
	if !s.c.s.line.goesOn() {
		return s.lost()
	}
	if s.out.ended() {
		return io.EOF
	}
	// Package ssh has answered a close before it reported it, and refuses to
	// send on a channel from then on. Servers ignore requests like this one.
	if _, err := s.ch.SendRequest("keepalive@openssh.com", false, nil); err == nil {
		return io.EOF
	}
	if s.c.s.line.failed.Load() {
		return s.lost()
	}
	return errPeerClosed
}

// lost is the error of a conn whose client has ended.
func (s *conn) lost() error {
	<-s.c.done // it is about to be closed
	if s.c.err == nil {
		return &lostError{errGone}
	}
	return &lostError{s.c.err}
}

// lostError is a reset because the client has ended, and says why that was.
type lostError struct{ err error }

func (e *lostError) Error() string { return fmt.Sprintf("ssh connection lost: %v", e.err) }

// Is makes it a reset, and nothing else, whatever the client died of.
func (e *lostError) Is(target error) bool {
	return target == dialer.ErrReset || target == syscall.ECONNRESET || errors.Is(e.err, target) && dialer.KindOf(e.err) == dialer.Other
}
