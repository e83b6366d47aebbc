//go:build unix

package record

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"github.com/sallyport/sallyport/internal/eager"
)

// newSource returns nil for what is not a stream socket.
func newSource(c net.Conn) source {
	switch c.(type) {
	case *net.TCPConn, *net.UnixConn:
		if raw, err := c.(syscall.Conn).SyscallConn(); err == nil {
			a := &ahead{conn: c, raw: raw}
			a.try = a.fetch
			return a
		}
	}
	return nil
}

// ahead reads a socket ahead. It asks without waiting first; when there is
// nothing it gives the buffer back and has the runtime wait for the socket, so
// deadlines and Close work as they do with Read.
type ahead struct {
	conn net.Conn
	raw  syscall.RawConn
	try  func(fd uintptr) bool // a.fetch, bound once

	mu   sync.Mutex // one Read at a time
	buf  *block     // nil while waiting
	r, w int        // buf[r:w] has been read ahead
	err  error
}

func (a *ahead) read(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(p) == 0 {
		return 0, nil
	}
	if a.r == a.w {
		if err := a.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, a.buf[a.r:a.w])
	a.r += n
	return n, nil
}

// fill waits for bytes. a.mu is held.
func (a *ahead) fill() error {
	a.r, a.w, a.err = 0, 0, nil
	if err := a.raw.Read(a.try); err != nil {
		a.release()
		return a.named(err)
	}
	switch {
	case a.err != nil:
		a.release()
		return a.wrap(os.NewSyscallError("read", a.err))
	case a.w == 0:
		a.release()
		return io.EOF
	}
	return nil
}

// fetch makes one attempt and reports whether it is the last, that is, whether
// anything but "nothing yet" came of it.
func (a *ahead) fetch(fd uintptr) bool {
	if a.buf == nil {
		a.buf = blocks.Get().(*block)
	}
	for {
		n, err := syscall.Read(int(fd), a.buf[:])
		switch err {
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			a.release()
			return false
		}
		a.w, a.err = max(n, 0), err
		return true
	}
}

func (a *ahead) release() {
	if a.buf != nil {
		blocks.Put(a.buf)
		a.buf = nil
	}
}

// named gives an error of the wait the form it would have had from Read.
func (a *ahead) named(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return a.wrap(op.Err)
	}
	return a.wrap(err)
}

func (a *ahead) wrap(err error) error { return eager.OpError("read", a.conn, err) }
