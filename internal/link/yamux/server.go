package yamux

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/mux"
	"github.com/sallyport/sallyport/internal/streamconn"
)

// Server is the server's end of one tunnel, before and after the hello.
type Server struct {
	// Authorize decides about a hello. A Reply with a Status refuses it.
	Authorize func(ctx context.Context, h message.Hello) message.Reply
	// Up is called once the agent has been taken; Down once its tunnel has ended,
	// with the reason. Down is called only after Up.
	Up   func(s *Session, h message.Hello)
	Down func(s *Session, err error)
	// HelloTimeout bounds the exchange of hellos.
	HelloTimeout time.Duration
	// Mux tunes the session. Client and Accept are filled in.
	Mux mux.Config
}

// Session is one agent's tunnel. It is a link.Session.
type Session struct {
	mux      *mux.Session
	control  *mux.Stream
	draining atomic.Bool
	drained  atomic.Bool
}

var _ link.Session = (*Session)(nil)

// Serve serves conn, which it owns, until ctx ends, the agent goes or the
// session is closed. It joins everything it started and returns why it ended.
func (l *Server) Serve(ctx context.Context, conn net.Conn) error {
	cfg := l.Mux
	first := make(chan *mux.Stream, 1)
	var opened atomic.Bool
	cfg.Accept = func(st *mux.Stream) {
		if opened.Swap(true) {
			st.Reset(mux.ReasonRefused) // an agent opens one stream, for control
			return
		}
		first <- st
	}
	s := &Session{mux: mux.New(conn, cfg)}
	run := make(chan error, 1)
	life, ended := context.WithCancel(ctx)
	defer ended()
	go func() {
		err := s.mux.Run(ctx)
		ended() // an Authorize that is still asking may stop
		run <- err
	}()
	err := l.serve(life, s, first)
	s.mux.Close()
	if sessionErr := <-run; sessionErr != nil && !isRefusal(err) {
		err = sessionErr // how the tunnel ended tells more than how a stream saw it
	}
	return err
}

func (l *Server) serve(ctx context.Context, s *Session, first <-chan *mux.Stream) error {
	hello, err := l.hello(ctx, s, first)
	if err != nil {
		return err
	}
	s.draining.Store(hello.Draining)
	l.Up(s, hello)
	err = s.listen()
	l.Down(s, err)
	return err
}

// hello reads the agent's hello and replies.
func (l *Server) hello(ctx context.Context, s *Session, first <-chan *mux.Stream) (h message.Hello, err error) {
	ctx, cancel := context.WithTimeout(ctx, l.HelloTimeout)
	defer cancel()
	select {
	case s.control = <-first:
	case <-ctx.Done():
		return h, fmt.Errorf("hello: %w", context.Cause(ctx))
	case <-s.mux.Done():
		return h, fmt.Errorf("hello: %w", errors.Join(s.mux.Err(), net.ErrClosed))
	}
	deadline, _ := ctx.Deadline()
	s.control.SetDeadline(deadline)
	if err = message.Read(s.control, &h); err != nil {
		return h, fmt.Errorf("hello: %w", err)
	}
	reply := l.Authorize(ctx, h)
	if h.Version < message.Version {
		reply.Status, reply.Text = message.Unsupported, fmt.Sprintf("version %d, want %d", h.Version, message.Version)
	}
	reply.Version = message.Version
	if err = message.Write(s.control, &reply); err != nil {
		return h, fmt.Errorf("hello: %w", err)
	}
	if reply.Status != message.OK {
		l.lingerRefused(s)
		return h, &link.RefusedError{Reply: reply}
	}
	s.control.SetDeadline(time.Time{})
	return h, nil
}

// lingerRefused lets the refusal reach the agent, which then hangs up itself.
// The hello's deadline bounds the wait.
func (l *Server) lingerRefused(s *Session) {
	s.control.CloseWrite()
	var c message.Control
	message.Read(s.control, &c)
}

// listen serves the control stream until it ends.
func (s *Session) listen() error {
	for {
		var c message.Control
		if err := message.Read(s.control, &c); err != nil {
			return err
		}
		if c.Op == message.Drain {
			s.draining.Store(true)
		}
	}
}

// Open implements link.Session.
func (s *Session) Open(ctx context.Context, network, address string) (net.Conn, error) {
	st, err := s.mux.OpenToWrite(ctx)
	if err != nil {
		return nil, err
	}
	// The context ends the dial and, through the reset, the agent's own.
	stop := context.AfterFunc(ctx, func() { st.Reset(mux.ReasonCanceled) })
	answer, err := s.ask(ctx, st, network, address)
	if !stop() {
		return nil, dialer.CauseOf(ctx, err)
	}
	if err == nil && answer.Failed {
		err = refusal(answer)
	}
	if err != nil {
		st.Close()
		return nil, s.lost(err)
	}
	st.SetAddrs(localAddr(answer), remoteAddr(answer, network, address))
	return tunnelConn{st}, nil
}

// errFull is an agent's refusal of a stream. The agent's configuration bounds how
// many it serves; connections that nobody closes are the usual reason.
var errFull = errors.New("the agent serves as many connections as it may; are some never closed?")

// refusal is an agent's failure. Its words are for people and logs, so they are
// kept short whatever the agent sends.
func refusal(a message.Answer) error {
	const maxHop, maxText = 64, 1 << 10
	return &link.Refusal{
		Hop:    a.Hop[:min(len(a.Hop), maxHop)],
		Remote: &dialer.RemoteError{Kind: a.Kind, Text: a.Text[:min(len(a.Text), maxText)]},
	}
}

// lost returns why the tunnel ended, if it has: that tells more than what its
// end did to a stream.
func (s *Session) lost(err error) error {
	if mux.Refused(err) {
		return errFull
	}
	select {
	case <-s.mux.Done():
		if cause := s.mux.Err(); cause != nil {
			return fmt.Errorf("tunnel lost: %w", cause)
		}
	default:
	}
	return err
}

// ask sends the request and waits for the answer.
func (s *Session) ask(ctx context.Context, st *mux.Stream, network, address string) (a message.Answer, err error) {
	req := message.Request{Network: network, Address: address}
	if deadline, ok := ctx.Deadline(); ok {
		req.Timeout = max(time.Until(deadline)-s.answerTime(time.Until(deadline)), time.Millisecond)
	}
	if err = message.Write(st, &req); err != nil {
		return a, err
	}
	return a, message.Read(st, &a)
}

// answerTime is how much of what is left is kept for the agent's answer: an agent
// that says where time ran out tells more than silence does.
func (s *Session) answerTime(left time.Duration) time.Duration {
	return min(s.mux.RTT()+50*time.Millisecond, left/4)
}

// localAddr is the agent's end of the connection: the address the target sees.
func localAddr(a message.Answer) net.Addr {
	if a.Local == "" {
		return nil
	}
	return streamconn.Addr("tcp", a.Local)
}

// remoteAddr is the target as the agent reached it, or as it was asked for.
func remoteAddr(a message.Answer, network, address string) net.Addr {
	if a.Remote != "" {
		address = a.Remote
	}
	return streamconn.Addr(network, address)
}

// Load implements link.Session. The control stream does not count.
func (s *Session) Load() int { return max(s.mux.Streams()-1, 0) }

// Draining implements link.Session.
func (s *Session) Draining() bool { return s.draining.Load() || s.mux.GoneAway() }

// Drain implements link.Session.
func (s *Session) Drain(ctx context.Context) {
	if s.drained.Swap(true) {
		return
	}
	stop := context.AfterFunc(ctx, func() { s.control.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	message.Write(s.control, &message.Control{Op: message.Drain})
}

// Flush implements link.Session.
func (s *Session) Flush(ctx context.Context) error { return s.mux.Flush(ctx) }

// RTT implements link.Session.
func (s *Session) RTT() time.Duration { return s.mux.RTT() }

// Close implements link.Session.
func (s *Session) Close() error { return s.mux.Close() }

// Done implements link.Session.
func (s *Session) Done() <-chan struct{} { return s.mux.Done() }

// Protocol implements link.Session.
func (s *Session) Protocol() string { return link.ProtocolYamux }
