package httpconnect

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/streamconn"
)

// NewConn returns c as a conn whose reader gets early first, and whose far end
// is remote. closed, which may be nil, is called once with Close. The conn has
// CloseWrite where c has it.
func NewConn(c net.Conn, early []byte, remote net.Addr, closed func()) net.Conn {
	ec := &conn{Conn: c, early: early, remote: remote, onClose: closed}
	ec.waiting.Store(len(early) > 0)
	if cw, ok := c.(dialer.CloseWriter); ok {
		return &halfCloser{conn: ec, cw: cw}
	}
	return ec
}

type conn struct {
	net.Conn
	remote  net.Addr
	onClose func()
	once    sync.Once

	waiting  atomic.Bool // early is not empty
	mu       sync.Mutex  // guards early and closed
	early    []byte
	closed   bool
	deadline streamconn.Deadline // of Read, while early lasts
}

// halfCloser is a conn over one that can end its own direction.
type halfCloser struct {
	*conn
	cw dialer.CloseWriter
}

// CloseWrite ends this direction.
func (c *halfCloser) CloseWrite() error { return c.cw.CloseWrite() }

// Read returns the early bytes, and when they are spent what comes behind them.
func (c *conn) Read(p []byte) (int, error) {
	if c.waiting.Load() {
		if n, err := c.readEarly(p); n > 0 || err != nil {
			return n, err
		}
	}
	return c.Conn.Read(p)
}

func (c *conn) readEarly(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return 0, net.ErrClosed
	case c.deadline.Passed():
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, c.early)
	if c.early = c.early[n:]; len(c.early) == 0 {
		c.early = nil
		c.waiting.Store(false)
		c.deadline.Stop()
	}
	return n, nil
}

// SetReadDeadline sets the deadline of Read.
func (c *conn) SetReadDeadline(t time.Time) error {
	if c.waiting.Load() {
		c.deadline.Set(t)
	}
	return c.Conn.SetReadDeadline(t)
}

// SetDeadline sets the deadlines of Read and Write.
func (c *conn) SetDeadline(t time.Time) error {
	if c.waiting.Load() {
		c.deadline.Set(t)
	}
	return c.Conn.SetDeadline(t)
}

// RemoteAddr returns the target's address.
func (c *conn) RemoteAddr() net.Addr { return c.remote }

// NetConn returns the conn below.
func (c *conn) NetConn() net.Conn { return c.Conn }

// Close closes the conn.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.ended)
	return err
}

func (c *conn) ended() {
	c.mu.Lock()
	c.closed, c.early = true, nil
	c.mu.Unlock()
	c.deadline.Stop()
	if c.onClose != nil {
		c.onClose()
	}
}
