package sshtunnel

import (
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/streamconn"
)

// conn is a channel as a net.Conn. A channel of package ssh knows no deadline
// and cannot be woken, so its calls are made by goroutines of the conn: one that
// reads while somebody has wanted to, and one that writes while there is
// something to write.
type conn struct {
	c             *client
	ch            ssh.Channel
	local, remote net.Addr
	slot          *slot // guarded by Dialer.mu

	in   streamconn.Buffer
	out  outgoing
	turn chan struct{} // held by the Write that goes on
	down chan struct{} // closed when no Write can succeed any more

	mu      sync.Mutex
	reading bool        // fill is running
	ended   bool        // the last byte has been read
	closed  bool        // by Close, Reset or the Dialer
	gone    bool        // the channel is closed; no goroutine may be started
	stopped bool        // down is closed
	linger  *time.Timer // ends a Close whose bytes nobody takes
	onStop  map[*func()]struct{}
}

var _ net.Conn = (*conn)(nil)

func newConn(c *client, o *opening, ch ssh.Channel) *conn {
	s := &conn{
		c: c, ch: ch, slot: &o.slot, remote: o.t.addr, local: c.s.line.LocalAddr(),
		turn: make(chan struct{}, 1), down: make(chan struct{}),
	}
	if s.local == nil {
		s.local = streamconn.Name{Net: o.t.addr.Network(), Address: "ssh client"}
	}
	s.out.init()
	return s
}

// LocalAddr returns that of the connection to the server, which the target does
// not see.
func (s *conn) LocalAddr() net.Addr { return s.local }

// RemoteAddr returns what was dialed.
func (s *conn) RemoteAddr() net.Addr { return s.remote }

// SetDeadline sets both deadlines.
func (s *conn) SetDeadline(t time.Time) error { return s.setDeadlines(t, true, true) }

// SetReadDeadline sets the deadline of Read.
func (s *conn) SetReadDeadline(t time.Time) error { return s.setDeadlines(t, true, false) }

// SetWriteDeadline sets the deadline of Write. A Write that has run into it has
// sent what it says, and the next one goes on from there.
func (s *conn) SetWriteDeadline(t time.Time) error { return s.setDeadlines(t, false, true) }

func (s *conn) setDeadlines(t time.Time, read, write bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.opError("set", net.ErrClosed)
	}
	if read {
		s.in.Deadline.Set(t)
	}
	if write {
		s.out.deadline.Set(t)
	}
	return nil
}

// goOn starts a goroutine of the conn. s.mu is held and s.gone is false, so that
// the client still waits for its goroutines.
func (s *conn) goOn(f func()) { s.c.wg.Go(f) }

// stop wakes every Write for good. s.mu is held.
func (s *conn) stop() {
	if !s.stopped {
		s.stopped = true
		close(s.down)
	}
}

// opError is err as package net has it.
func (s *conn) opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &net.OpError{Op: op, Net: s.remote.Network(), Source: s.local, Addr: s.remote, Err: err}
}
