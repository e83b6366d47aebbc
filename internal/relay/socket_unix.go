//go:build unix

package relay

import (
	"io"
	"net"
	"os"
	"syscall"

	"github.com/sallyport/sallyport/internal/eager"
)

// newSource returns the best source for c.
func newSource(c net.Conn) source {
	if isKernel(c) {
		if raw, err := c.(syscall.Conn).SyscallConn(); err == nil {
			return newSocket(c, raw)
		}
	}
	return newPlain(c)
}

// socket reads a stream socket and holds a buffer only while there is something
// in it. It asks without waiting first; when there is nothing it gives the
// buffer back and has the runtime wait for the socket, so deadlines and Close
// work as they do with Read.
type socket struct {
	conn net.Conn
	raw  syscall.RawConn
	try  func(fd uintptr) bool // s.read, bound once

	fit fit
	buf *buffer // nil while waiting
	n   int
	err error
}

func newSocket(c net.Conn, raw syscall.RawConn) *socket {
	s := &socket{conn: c, raw: raw, fit: fit{most: maxSocket}}
	s.try = s.read
	return s
}

func (s *socket) next() ([]byte, error) {
	s.n, s.err = 0, nil
	if err := s.raw.Read(s.try); err != nil {
		return nil, err
	}
	switch {
	case s.err != nil:
		return nil, s.wrap(s.err)
	case s.n == 0:
		return nil, io.EOF
	}
	s.fit.saw(s.n)
	return s.buf.data[:s.n], nil
}

// read makes one attempt and reports whether it is the last, that is, whether
// anything but "nothing yet" came of it.
func (s *socket) read(fd uintptr) bool {
	s.buf = s.fit.swap(s.buf)
	for {
		n, err := syscall.Read(int(fd), s.buf.data)
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			s.release()
			return false
		}
		s.n, s.err = max(n, 0), err
		return true
	}
}

func (s *socket) release() {
	if s.buf != nil {
		s.buf.give()
		s.buf = nil
	}
}

// wrap gives the error the form it would have had from Read.
func (s *socket) wrap(err error) error {
	return eager.OpError("read", s.conn, os.NewSyscallError("read", err))
}
