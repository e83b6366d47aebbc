package konnectivity

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/grpc"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/link/yamux"
	"github.com/sallyport/sallyport/internal/mux"
	"github.com/sallyport/sallyport/internal/record"
)

// software is what our agents call themselves in the hello.
const software = "sallyport"

// TunnelInfo tells about an agent's tunnel to one server.
type TunnelInfo struct {
	Server    string // its address
	ServerID  string // what it calls itself; empty before the first hello
	Connected bool
	// Protocol is ProtocolYamux, ProtocolGRPC with windows for each connection, or
	// ProtocolPackets without, as upstream has it; empty before the first hello.
	Protocol Protocol
	Since    time.Time // when the tunnel came up, or went down
	RTT      time.Duration
	Conns    int
	Err      error // why the last attempt failed or the last tunnel ended
}

// tunnel is one tunnel, from the attempt to its end.
type tunnel struct {
	keeper *keeper
	up     chan struct{} // closed once it counts: the server took us and is a new one
	twin   chan struct{} // closed once it is known to be one too many

	// Guarded by the roster's lock.
	serverID string
	count    int  // of servers, as this one has told
	left     bool // the server has announced that it leaves

	mu    sync.Mutex
	link  link.Agent // once it is up
	since time.Time
}

func newTunnel(k *keeper) *tunnel {
	return &tunnel{keeper: k, up: make(chan struct{}), twin: make(chan struct{})}
}

// run makes the tunnel and serves it to its end.
func (t *tunnel) run(ctx context.Context) error {
	agent := t.keeper.agent
	hello, err := agent.hello(ctx)
	if err != nil {
		return err
	}
	conn, protocol, err := t.keeper.connect(ctx)
	if err != nil {
		return err
	}
	l := t.newLink(protocol, hello)
	l.Start(record.Over(conn))
	err = agent.rejected(t.serve(ctx, l))
	agent.rest.Go(func() { l.Finish(agent.patience) })
	if t.hasLeft() {
		err = ErrLeft
	}
	if ctx.Err() == nil && isClosed(t.up) {
		t.keeper.log.Info("tunnel lost", "id", t.serverID, "err", err)
	}
	return err
}

// newLink returns the agent's end of a tunnel that speaks p.
func (t *tunnel) newLink(p Protocol, hello message.Hello) link.Agent {
	agent := t.keeper.agent
	cfg, draining := &agent.cfg, t.serverLeaves
	if p == ProtocolYamux {
		l := &yamux.Agent{
			Hello: hello, Dial: t.dial, DialTimeout: cfg.dialTimeout(), HelloTimeout: cfg.handshakeTimeout(),
			Mux:    mux.Config{KeepAlive: cfg.KeepAlive, MaxStreams: cfg.MaxConns, Memory: cfg.Memory},
			Opened: agent.connOpened, ServerDraining: draining,
		}
		l.Up = func(r message.Reply) { t.taken(l, r) }
		return l
	}
	onPacket, onError := cfg.Trace.packetHooks()
	l := &grpc.Agent{
		Hello: hello, Dial: t.dial, DialTimeout: cfg.dialTimeout(), HelloTimeout: cfg.handshakeTimeout(),
		KeepAlive: cfg.KeepAlive, MaxConns: cfg.MaxConns, Memory: cfg.Memory, NoWindows: p == ProtocolPackets,
		Opened: agent.connOpened, ServerDraining: draining, OnPacket: onPacket, OnError: onError,
	}
	l.Up = func(r message.Reply) { t.taken(l, r) }
	return l
}

// serverLeaves notes that the server has announced its end. Connections go on.
func (t *tunnel) serverLeaves() {
	if info, up := t.status(); up {
		t.keeper.log.Info("server leaves", "id", info.ServerID, "connections", info.Conns)
	}
	t.keeper.agent.roster.leaving(t)
}

// serve runs l until it ends, or drains it when ctx ends first.
func (t *tunnel) serve(ctx context.Context, l link.Agent) error {
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.WithoutCancel(ctx)) }()
	select {
	case err := <-ended:
		if isClosed(t.twin) {
			return ErrDuplicateServer
		}
		return err
	case <-t.twin:
		l.Close()
		<-ended
		return ErrDuplicateServer
	case <-ctx.Done():
	}
	wait := t.keeper.agent.cfg.drainTimeout()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait)
	defer cancel()
	t.keeper.log.Info("leaving", "connections", l.Serving(), "wait", wait)
	l.Drain(grace)
	l.Close()
	<-ended
	return context.Cause(ctx)
}

// taken is called when the server has taken the agent. A tunnel to a server that
// has one already is given up.
func (t *tunnel) taken(l link.Agent, r message.Reply) {
	k := t.keeper
	t.mu.Lock()
	t.link, t.since = l, time.Now()
	t.mu.Unlock()
	twin := k.agent.roster.enter(t, r.ServerID, int(r.ServerCount))
	k.mu.Lock()
	k.twin = twin
	k.mu.Unlock()
	if twin != nil {
		close(t.twin)
		return
	}
	k.log.Info("tunnel up", "id", r.ServerID, "protocol", l.Protocol())
	if tr := k.agent.cfg.Trace; tr != nil && tr.TunnelUp != nil {
		tr.TunnelUp(k.server, r.ServerID)
	}
	close(t.up)
}

// dial connects to a target, once it is settled that the tunnel stays: through
// one that is about to be closed no connection may come about.
func (t *tunnel) dial(ctx context.Context, network, address string) (net.Conn, error) {
	select {
	case <-t.up:
		return t.keeper.agent.dialTarget(ctx, network, address)
	case <-t.twin:
		return nil, &dialer.Error{Hop: dialer.HopAgent, Network: network, Address: address, Err: errTwin}
	case <-ctx.Done():
		return nil, dialer.Wrap(context.Cause(ctx), dialer.HopAgent, network, address)
	}
}

var errTwin = errors.New("this tunnel is one too many and about to be closed")

// hasLeft reports whether the server announced its leaving.
func (t *tunnel) hasLeft() bool {
	t.keeper.agent.roster.mu.Lock()
	defer t.keeper.agent.roster.mu.Unlock()
	return t.left
}

// status returns the state of a tunnel and whether it came up.
func (t *tunnel) status() (info TunnelInfo, up bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.link == nil || isClosed(t.twin) {
		return TunnelInfo{Server: t.keeper.server}, false
	}
	return TunnelInfo{
		Server: t.keeper.server, ServerID: t.serverID, Connected: true, Protocol: Protocol(t.link.Protocol()),
		Since: t.since, RTT: t.link.RTT(), Conns: t.link.Serving(),
	}, true
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
