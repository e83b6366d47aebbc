package grpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/wire"
)

// Session is one agent's tunnel. It is a link.Session.
type Session struct {
	l    *Server
	conn *watched

	connected chan struct{} // closed when the agent has called Connect
	served    chan struct{} // closed when that call has been served
	closing   chan struct{} // closed when the connection has to go
	done      chan struct{} // closed when the tunnel has ended
	called    atomic.Bool   // Connect was called

	// Set before Up.
	control *packet.Carrier // of the Connect stream
	pulse   *pulse
	windows bool // each connection has windows of its own
	ours    bool // the agent knows our packets

	dials    dials
	draining atomic.Bool
	drained  atomic.Bool
	flushes  flushes

	mu      sync.Mutex
	err     error // why the tunnel has ended
	refusal error // an agent that was not taken
	close   sync.Once
}

var _ link.Session = (*Session)(nil)

func newSession(l *Server, conn net.Conn) *Session {
	s := &Session{
		l: l, conn: watch(conn),
		connected: make(chan struct{}), served: make(chan struct{}),
		closing: make(chan struct{}), done: make(chan struct{}),
	}
	if !l.NoWindows {
		s.conn.known, s.conn.strange = make(chan struct{}), maxStrange
	}
	return s
}

// fail ends the tunnel because of err, and every dial and connection with it.
// The first reason counts.
func (s *Session) fail(err error) {
	s.mu.Lock()
	first := s.err == nil
	if first {
		s.err = err
		close(s.done)
	}
	control := s.control
	s.mu.Unlock()
	if !first {
		return
	}
	s.dials.fail(s.lost())
	if control != nil {
		control.Close(err)
	}
}

// lost is what a dial fails with whose tunnel has ended.
func (s *Session) lost() error { return fmt.Errorf("tunnel lost: %w", s.why()) }

// why returns why the tunnel has ended. What the connection failed with tells
// more than what that did to a stream.
func (s *Session) why() error {
	s.mu.Lock()
	err, refusal := s.err, s.refusal
	s.mu.Unlock()
	if refusal != nil {
		return refusal
	}
	if err == nil {
		err = s.conn.cause()
	}
	if err == nil {
		err = net.ErrClosed
	}
	return err
}

// reason chooses between what a carrier ended with and what its connection did.
func (s *Session) reason(err error) error {
	if cause := s.conn.cause(); cause != nil && !errors.Is(cause, net.ErrClosed) {
		return cause
	}
	if err == nil {
		return io.EOF // the agent has said that it is done
	}
	return err
}

// Open implements link.Session.
func (s *Session) Open(ctx context.Context, network, address string) (net.Conn, error) {
	if n := max(len(network), len(address)); n > link.MaxAddress {
		return nil, fmt.Errorf("a network or address of %d bytes: want at most %d", n, link.MaxAddress)
	}
	if ctx.Err() != nil {
		return nil, dialer.CauseOf(ctx, ctx.Err())
	}
	if s.Load()+s.dials.abandoned() >= s.l.maxConns() {
		return nil, s.l.errFull()
	}
	grant, ok := s.control.Admit()
	if !ok {
		return nil, s.l.errMemory()
	}
	random, result, err := s.dials.add(network, address, grant)
	if err != nil {
		s.control.Dismiss(grant)
		return nil, err
	}
	ask := &wire.Packet{Type: wire.DialReq, Random: random, Protocol: network, Address: address, Window: grant}
	if deadline, ok := ctx.Deadline(); ok && s.ours {
		left := time.Until(deadline)
		ask.Timeout = max(left-s.answerTime(left), time.Millisecond)
	}
	if err := s.control.Ask(ask); err != nil {
		s.forget(random)
		if err == packet.ErrBusy {
			return nil, err
		}
		return nil, s.lost()
	}
	select {
	case r := <-result:
		return r.conn, r.err
	case <-ctx.Done():
	}
	s.callOff(ask, result)
	return nil, dialer.CauseOf(ctx, ctx.Err())
}

// callOff ends a dial that its user has given up.
func (s *Session) callOff(ask *wire.Packet, result <-chan outcome) {
	if s.control.Withdraw(ask) {
		s.forget(ask.Random) // the agent will never hear of it
		return
	}
	if asked, ok := s.dials.abandon(ask.Random); ok {
		s.control.Dismiss(asked.grant)
		s.control.Send(&wire.Packet{Type: wire.DialCls, Random: ask.Random})
	} else if r := <-result; r.conn != nil { // in the same moment
		reset(r.conn, dialer.Canceled.Err())
	}
}

// forget ends a dial of which the agent does not know.
func (s *Session) forget(random int64) {
	if asked, ok := s.dials.take(random); ok {
		s.control.Dismiss(asked.grant)
	}
}

func reset(c net.Conn, err error) {
	c.(interface{ Reset(error) error }).Reset(err)
}

// answerTime is how much of what is left is kept for the agent's answer: an agent
// that says where time ran out tells more than silence does.
func (s *Session) answerTime(left time.Duration) time.Duration {
	return min(s.pulse.RTT()+50*time.Millisecond, left/4)
}

// Load implements link.Session.
func (s *Session) Load() int {
	return s.dials.len() + s.control.Conns()
}

// Draining implements link.Session.
func (s *Session) Draining() bool { return s.draining.Load() }

// Drain implements link.Session. An agent of upstream's is told nothing: it
// would not understand.
func (s *Session) Drain(context.Context) {
	if s.ours && !s.drained.Swap(true) {
		s.control.Send(&wire.Packet{Type: wire.Drain})
	}
}

// RTT implements link.Session. It is known only between our own ends.
func (s *Session) RTT() time.Duration { return s.pulse.RTT() }

// Close implements link.Session.
func (s *Session) Close() error {
	s.fail(net.ErrClosed)
	s.close.Do(func() { close(s.closing) })
	return nil
}

// Done implements link.Session.
func (s *Session) Done() <-chan struct{} { return s.done }

// Protocol implements link.Session: link.ProtocolWindows or link.ProtocolPackets.
func (s *Session) Protocol() string {
	if s.windows {
		return link.ProtocolWindows
	}
	return link.ProtocolPackets
}
