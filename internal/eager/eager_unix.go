//go:build unix

package eager

import (
	"net"
	"os"
	"syscall"
)

// Writer writes to a stream socket without waiting for it. It is used by one
// goroutine at a time, and never beside another write to the same conn.
type Writer struct {
	conn net.Conn
	raw  syscall.RawConn
	try  func(fd uintptr) bool // send, bound once

	p   []byte
	n   int
	err error
}

// New returns a Writer for c, or nil if c is not a stream socket itself.
func New(c net.Conn) *Writer {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	w := &Writer{conn: c, raw: raw}
	w.try = w.send
	return w
}

// Write writes what the socket takes of p at once and returns how much that was. Its
// error is the socket's. That the conn is closed or a deadline has passed is not one:
// a write that may wait will say so, and here it is as if there were no room. A nil
// Writer writes nothing.
func (w *Writer) Write(p []byte) (int, error) {
	if w == nil {
		return 0, nil
	}
	w.p, w.n, w.err = p, 0, nil
	err := w.raw.Write(w.try)
	w.p = nil
	switch {
	case err != nil || w.err == syscall.EAGAIN:
		return 0, nil
	case w.err != nil:
		return 0, OpError("write", w.conn, os.NewSyscallError("write", w.err))
	}
	return w.n, nil
}

// send makes one attempt, which is the last.
func (w *Writer) send(fd uintptr) bool {
	for {
		n, err := syscall.Write(int(fd), w.p)
		if err == syscall.EINTR {
			continue
		}
		w.n, w.err = max(n, 0), err
		return true
	}
}
