package sshtest

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// pipeBuffer is what each direction of a Pipe holds, as a socket's buffer would.
const pipeBuffer = 64 << 10

// Pipe returns the two ends of a conn through memory. Unlike net.Pipe's they
// have buffers, without which two peers who both begin by writing would wait for
// each other. Cut makes both fail.
func Pipe() (a, b *PipeConn) {
	up, down := newLane(), newLane()
	return &PipeConn{in: down, out: up}, &PipeConn{in: up, out: down}
}

// PipeConn is one end of a Pipe.
type PipeConn struct{ in, out *lane }

// Read implements net.Conn.
func (c *PipeConn) Read(p []byte) (int, error) { return c.in.read(p) }

// Write implements net.Conn.
func (c *PipeConn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close ends both directions: the other end reads what is there, then EOF.
func (c *PipeConn) Close() error {
	c.in.end(io.ErrClosedPipe, net.ErrClosed, true)
	c.out.end(net.ErrClosed, io.EOF, false)
	return nil
}

// CloseWrite ends what this end sends.
func (c *PipeConn) CloseWrite() error {
	c.out.end(net.ErrClosed, io.EOF, false)
	return nil
}

// Cut breaks the pipe: both ends fail with err.
func (c *PipeConn) Cut(err error) {
	c.in.end(err, err, true)
	c.out.end(err, err, true)
}

// LocalAddr implements net.Conn.
func (c *PipeConn) LocalAddr() net.Addr { return memory{} }

// RemoteAddr implements net.Conn.
func (c *PipeConn) RemoteAddr() net.Addr { return memory{} }

// SetDeadline implements net.Conn.
func (c *PipeConn) SetDeadline(at time.Time) error {
	c.in.setDeadline(&c.in.readBy, at)
	c.out.setDeadline(&c.out.writeBy, at)
	return nil
}

// SetReadDeadline implements net.Conn.
func (c *PipeConn) SetReadDeadline(at time.Time) error {
	c.in.setDeadline(&c.in.readBy, at)
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *PipeConn) SetWriteDeadline(at time.Time) error {
	c.out.setDeadline(&c.out.writeBy, at)
	return nil
}

type memory struct{}

func (memory) Network() string { return "memory" }
func (memory) String() string  { return "192.0.2.22:22" }

// lane is one direction of a Pipe.
type lane struct {
	mu              sync.Mutex
	turned          *sync.Cond
	held            []byte
	writeErr        error // what Write returns once the lane has ended
	readErr         error // what Read returns behind the last byte
	readBy, writeBy deadline
}

type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func newLane() *lane {
	l := new(lane)
	l.turned = sync.NewCond(&l.mu)
	return l
}

func (l *lane) read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch {
		case errors.Is(l.readErr, net.ErrClosed):
			return 0, l.readErr
		case l.readBy.passed():
			return 0, os.ErrDeadlineExceeded
		case len(l.held) > 0:
			n := copy(p, l.held)
			l.held = l.held[n:]
			l.turned.Broadcast()
			return n, nil
		case l.readErr != nil:
			return 0, l.readErr
		}
		l.turned.Wait()
	}
}

func (l *lane) write(p []byte) (n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		switch room := pipeBuffer - len(l.held); {
		case l.writeErr != nil:
			return n, l.writeErr
		case l.writeBy.passed():
			return n, os.ErrDeadlineExceeded
		case len(p) == 0:
			return n, nil
		case room > 0:
			took := min(room, len(p))
			l.held = append(l.held, p[:took]...)
			n, p = n+took, p[took:]
			l.turned.Broadcast()
			continue
		}
		l.turned.Wait()
	}
}

// end lets the lane end: writing fails with w, and reading with r behind what is
// held, or at once where that is dropped. The first end counts for each, except
// that one's own Close counts always.
func (l *lane) end(w, r error, drop bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writeErr == nil || errors.Is(w, net.ErrClosed) {
		l.writeErr = w
	}
	if l.readErr == nil || errors.Is(r, net.ErrClosed) {
		l.readErr = r
	}
	if drop {
		l.held = nil
	}
	l.turned.Broadcast()
}

func (l *lane) setDeadline(d *deadline, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d.at = at
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if !at.IsZero() {
		d.timer = time.AfterFunc(max(0, time.Until(at)), func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.turned.Broadcast()
		})
	}
	l.turned.Broadcast()
}
