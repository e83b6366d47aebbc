package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/direct"
	"github.com/sallyport/sallyport/internal/backoff"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/link/yamux"
	"github.com/sallyport/sallyport/internal/mux"
	"github.com/sallyport/sallyport/transport"
)

// software is what our agents call themselves in the hello.
const software = "sallyport"

// TunnelInfo tells about an agent's tunnel to one server.
type TunnelInfo struct {
	Server    string // its address
	ServerID  string // what it calls itself; empty before the first hello
	Connected bool
	// Protocol is "yamux", "grpc" with a gRPC stream for each connection, or
	// "konnectivity" with all of them on one, as upstream has it; empty before the
	// first hello.
	Protocol string
	Since    time.Time // when the tunnel came up, or went down
	RTT      time.Duration
	Conns    int
	Err      error // why the last attempt failed or the last tunnel ended
}

// tunnel keeps one agent connected to one server.
type tunnel struct {
	agent  *Agent
	server string
	log    *slog.Logger

	mu   sync.Mutex
	info TunnelInfo
	link *yamux.Agent // while connected
	left bool         // the server has announced that it leaves
}

// keep connects, serves and reconnects until ctx ends, and then drains.
func (t *tunnel) keep(ctx context.Context) {
	lost, refused := t.agent.cfg.backoff()
	for ctx.Err() == nil {
		began := time.Now()
		up, err := t.once(ctx)
		if up && t.hasLeft() {
			err = ErrLeft
		}
		t.down(err)
		if ctx.Err() != nil {
			return
		}
		if up && time.Since(began) > lost.Policy.Max {
			lost.Reset() // it held; a server that drops us at once is not hammered
		}
		retry := lost
		if _, no := errors.AsType[*link.RefusedError](err); no {
			retry = refused
		} else {
			refused.Reset()
		}
		wait := retry.Next()
		if up {
			t.log.Info("tunnel lost", "err", err, "retry", wait)
		} else {
			t.log.Warn("no tunnel", "err", err, "retry", wait)
		}
		if backoff.Sleep(ctx, wait) != nil {
			return
		}
	}
}

// hasLeft reports whether the server announced its leaving.
func (t *tunnel) hasLeft() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.left
}

// once makes one tunnel and serves it to its end. up tells whether the server
// took the agent.
func (t *tunnel) once(ctx context.Context) (up bool, err error) {
	conn, err := t.connect(ctx)
	if err != nil {
		return false, err
	}
	cfg := &t.agent.cfg
	l := &yamux.Agent{
		Hello: message.Hello{
			AgentID: cfg.ID, Instance: t.agent.instance, Identifiers: cfg.Identifiers.String(), Software: software,
		},
		Dial: t.agent.dialTarget, DialTimeout: cfg.dialTimeout(), HelloTimeout: cfg.handshakeTimeout(),
		Mux: mux.Config{KeepAlive: cfg.KeepAlive, MaxStreams: cfg.MaxConns, Memory: cfg.Memory},
	}
	l.Up = func(r message.Reply) {
		up = true
		t.up(l, r)
	}
	l.ServerDraining = func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.left = true
	}
	l.Start(conn)
	err = rejected(t.serve(ctx, l))
	t.agent.rest.Go(func() { l.Finish(t.agent.patience) })
	return up, err
}

// serve runs l until it ends, or drains it when ctx ends first.
func (t *tunnel) serve(ctx context.Context, l *yamux.Agent) error {
	ended := make(chan error, 1)
	go func() { ended <- l.Run(context.WithoutCancel(ctx)) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.agent.cfg.drainTimeout())
	defer cancel()
	t.log.Info("leaving", "connections", l.Serving(), "wait", t.agent.cfg.drainTimeout())
	l.Drain(grace)
	l.Close()
	<-ended
	return context.Cause(ctx)
}

// connect reaches the server and ends with a verified TLS connection that speaks
// our protocol.
func (t *tunnel) connect(ctx context.Context) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, t.agent.cfg.handshakeTimeout())
	defer cancel()
	conn, err := t.agent.carrier.DialContext(ctx, "tcp", t.server)
	if err != nil {
		return nil, t.unreached(err)
	}
	tc, ok := conn.(*tls.Conn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("server %s: the connection is a %T, not TLS", t.server, conn)
	}
	if p := tc.ConnectionState().NegotiatedProtocol; p != link.ALPNYamux {
		conn.Close()
		return nil, fmt.Errorf("server %s does not speak ALPN %q", t.server, link.ALPNYamux)
	}
	return tc, nil
}

// unreached names the hop of a dial to a server: for the agent's targets the
// server is a proxy, not a target.
func (t *tunnel) unreached(err error) error {
	if de, ok := errors.AsType[*dialer.Error](err); ok && !de.At(dialer.HopTLS) {
		return &dialer.Error{Hop: dialer.HopProxy, Network: "tcp", Address: t.server, Err: de.Err}
	}
	return err
}

// rejected explains the alert of a server that did not like our certificate. With
// TLS 1.3 it arrives after the handshake, in place of the first answer.
func rejected(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return fmt.Errorf("the server rejected our certificate; its log says why: %w", err)
	}
	return err
}

func (t *tunnel) up(l *yamux.Agent, r message.Reply) {
	t.mu.Lock()
	t.info = TunnelInfo{Server: t.server, ServerID: r.ServerID, Connected: true, Protocol: "yamux", Since: time.Now()}
	t.link, t.left = l, false
	t.mu.Unlock()
	t.log.Info("tunnel up", "id", r.ServerID)
	if tr := t.agent.cfg.Trace; tr != nil && tr.TunnelUp != nil {
		tr.TunnelUp(t.server, r.ServerID)
	}
}

func (t *tunnel) down(err error) {
	t.mu.Lock()
	wasUp := t.link != nil
	if t.info.Connected || t.info.Since.IsZero() {
		t.info.Since = time.Now()
	}
	t.info.Connected, t.info.Err, t.link = false, err, nil
	t.mu.Unlock()
	tr := t.agent.cfg.Trace
	switch {
	case tr == nil:
	case wasUp && tr.TunnelDown != nil:
		tr.TunnelDown(t.server, err)
	case !wasUp && tr.ConnectFailed != nil:
		tr.ConnectFailed(t.server, err)
	}
}

func (t *tunnel) status() TunnelInfo {
	t.mu.Lock()
	defer t.mu.Unlock()
	info := t.info
	info.Server = t.server
	if t.link != nil {
		info.RTT, info.Conns = t.link.RTT(), t.link.Serving()
	}
	return info
}

// makeCarrier builds the road to the servers: verified TLS over the given dialer.
func (a *Agent) makeCarrier() error {
	under := a.cfg.Dialer
	if under == nil {
		under = &direct.Dialer{}
	}
	cfg := transport.Config{
		Dialer: under, Roots: a.cfg.Roots, Certificates: a.cfg.Certificates,
		NextProtos: a.speaks.alpn(true), MinVersion: tls.VersionTLS13,
		HandshakeTimeout: a.cfg.handshakeTimeout(),
	}
	if name := a.cfg.ServerName; name != "" {
		cfg.ServerName = func(string) string { return name }
	}
	d, err := transport.New(cfg)
	if err != nil {
		return err
	}
	a.carrier = d
	return nil
}

func portOf(address string) uint16 {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.ParseUint(port, 10, 16)
	return uint16(n)
}
