package yamux

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/crew"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/mux"
)

// Agent is the agent's end of one tunnel.
type Agent struct {
	// Hello is what to say first. Version is filled in.
	Hello message.Hello
	// Dial connects to targets; it applies the agent's policy. Its errors should
	// be *dialer.Error, so that the far end learns the kind and the hop.
	Dial link.DialFunc
	// DialTimeout bounds each Dial, whatever the server's caller would allow.
	DialTimeout time.Duration
	// HelloTimeout bounds the exchange of hellos.
	HelloTimeout time.Duration
	// Mux tunes the session. Client and Accept are filled in.
	Mux mux.Config
	// Opened is told of each connection to a target, and the returned function of
	// its end. Nil is fine.
	Opened func(address string) (ended func())
	// Up is called once the server has taken the agent.
	Up func(message.Reply)
	// ServerDraining is called, on the tunnel's own goroutine, when the server
	// announces that it is about to leave.
	ServerDraining func()

	session  *mux.Session
	control  *mux.Stream
	dials    sync.WaitGroup // requests, until their connection has ended
	crew     crew.Crew
	served   served
	serving  atomic.Int64
	idle     chan struct{} // one token: serving may have become zero
	ready    chan struct{} // closed when control may be written to
	sayDrain sync.Once
}

var _ link.Agent = (*Agent)(nil)

// Start prepares a over conn, which it owns from now on. Run must follow.
func (a *Agent) Start(conn net.Conn) {
	a.idle = make(chan struct{}, 1)
	a.ready = make(chan struct{})
	cfg := a.Mux
	cfg.Client = true
	cfg.Accept = func(st *mux.Stream) {
		a.serving.Add(1)
		a.dials.Add(1)
		a.crew.Do(&request{agent: a, st: st})
	}
	a.session = mux.New(conn, cfg)
}

// Run says hello and serves the tunnel until ctx ends, the server goes or Close
// is called. Connections whose far end has said all it had to say may still be
// delivering that; Finish, which must follow, joins them.
func (a *Agent) Run(ctx context.Context) error {
	run := make(chan error, 1)
	go func() { run <- a.session.Run(ctx) }()
	err := a.hello(ctx)
	if err == nil {
		err = a.listen()
	}
	a.session.Close()
	if sessionErr := <-run; sessionErr != nil && !isRefusal(err) {
		err = sessionErr
	}
	a.served.tunnelEnded()
	return err
}

// Finish waits until the connections of a tunnel that has ended have delivered
// what they had received in full, or until ctx ends. It joins everything.
func (a *Agent) Finish(ctx context.Context) {
	stop := context.AfterFunc(ctx, a.served.giveUp)
	defer stop()
	a.dials.Wait()
	a.crew.Stop()
}

func isRefusal(err error) bool {
	_, ok := errors.AsType[*link.RefusedError](err)
	return ok
}

// hello opens the control stream and learns whether the server takes us.
func (a *Agent) hello(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.HelloTimeout)
	defer cancel()
	st, err := a.session.OpenToWrite(ctx)
	if err != nil {
		return err
	}
	a.control = st
	deadline, _ := ctx.Deadline()
	st.SetDeadline(deadline)
	a.Hello.Version = message.Version
	if err := message.Write(st, &a.Hello); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	var reply message.Reply
	if err := message.Read(st, &reply); err != nil {
		return fmt.Errorf("hello: %w", err)
	}
	switch {
	case reply.Status != message.OK:
		return &link.RefusedError{Reply: reply}
	case reply.Version != message.Version:
		return fmt.Errorf("hello: server wants protocol version %d, we speak %d", reply.Version, message.Version)
	}
	st.SetDeadline(time.Time{})
	close(a.ready)
	if a.Up != nil {
		a.Up(reply)
	}
	return nil
}

// listen serves the control stream until it ends.
func (a *Agent) listen() error {
	for {
		var c message.Control
		if err := message.Read(a.control, &c); err != nil {
			return err
		}
		if c.Op == message.Drain && a.ServerDraining != nil {
			a.ServerDraining()
		}
	}
}

// Drain asks the server for no new connections and returns when those that are
// open have ended, or ctx has, or the tunnel has. A tunnel that is not up yet
// has nothing to drain.
func (a *Agent) Drain(ctx context.Context) {
	select {
	case <-a.ready:
	default:
		return
	}
	a.sayDrain.Do(func() {
		deadline, ok := ctx.Deadline()
		if ok {
			a.control.SetWriteDeadline(deadline)
		}
		message.Write(a.control, &message.Control{Op: message.Drain})
	})
	for a.serving.Load() > 0 {
		select {
		case <-a.idle:
		case <-ctx.Done():
			return
		case <-a.session.Done():
			return
		}
	}
	a.session.Flush(ctx) // the last connection's last bytes
}

func (a *Agent) noticeIdle() {
	select {
	case a.idle <- struct{}{}:
	default:
	}
}

// Close ends the tunnel at once. Run returns.
func (a *Agent) Close() error { return a.session.Close() }

// Serving returns the number of connections the agent serves.
func (a *Agent) Serving() int { return int(a.serving.Load()) }

// RTT returns the tunnel's round trip, zero when not yet known.
func (a *Agent) RTT() time.Duration { return a.session.RTT() }

// Protocol implements link.Agent.
func (a *Agent) Protocol() string { return link.ProtocolYamux }
