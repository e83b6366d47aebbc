package konnectivity

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/direct"
)

// Agent keeps tunnels to servers and connects to targets for them, within its
// Policy.
type Agent struct {
	cfg      AgentConfig
	speaks   protocols
	log      *slog.Logger
	carrier  dialer.Dialer // verified TLS to a server
	target   *direct.Dialer
	instance string
	tunnels  []*tunnel
	rest     sync.WaitGroup // connections that outlive their tunnel for a while
	patience context.Context
	started  atomic.Bool
}

// ErrDuplicateServer is why an attempt to connect came to nothing that reached a
// server the agent has a tunnel to already, as happens behind a load balancer.
var ErrDuplicateServer = errors.New("konnectivity: that server is connected already")

// ErrAgentStarted is returned by a second Run: an agent runs once.
var ErrAgentStarted = errors.New("konnectivity: the agent has run already")

// NewAgent checks cfg and returns an Agent. It starts nothing.
func NewAgent(cfg AgentConfig) (*Agent, error) {
	speaks, err := checkAgentConfig(&cfg)
	if err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: cfg, speaks: speaks, log: orDiscard(cfg.Log).With("agent", cfg.ID), instance: randomID(),
		target: &direct.Dialer{Resolver: cfg.Resolver, Allow: cfg.Policy.Allow, Timeout: -1},
	}
	if err := a.makeCarrier(); err != nil {
		return nil, err
	}
	for _, server := range cfg.Servers {
		a.tunnels = append(a.tunnels, &tunnel{agent: a, server: server, log: a.log.With("server", server)})
	}
	return a, nil
}

// Run keeps the tunnels up until ctx ends. Then it asks the servers for no new
// connections, lets the open ones go on for DrainTimeout, closes what is left
// and joins everything it started. It returns the cause of ctx's end.
func (a *Agent) Run(ctx context.Context) error {
	if a.cfg.Policy == nil {
		return errors.New("konnectivity: an Agent is made by NewAgent")
	}
	if a.started.Swap(true) {
		return ErrAgentStarted
	}
	patience, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	a.patience = patience
	// Whatever still goes on has as long as a drain, from the same moment.
	stop := context.AfterFunc(ctx, func() {
		grace := time.AfterFunc(a.cfg.drainTimeout(), giveUp)
		context.AfterFunc(patience, func() { grace.Stop() })
	})
	defer stop()
	if a.cfg.Identifiers.empty() {
		a.log.Warn("the agent claims nothing, so it is never picked; set AgentConfig.Identifiers")
	}
	var running sync.WaitGroup
	for _, t := range a.tunnels {
		running.Go(func() { t.keep(ctx) })
	}
	running.Wait()
	a.rest.Wait()
	return context.Cause(ctx)
}

// Ready returns nil when at least one tunnel is up, or why none is.
func (a *Agent) Ready() error {
	var last error
	for _, t := range a.tunnels {
		st := t.status()
		if st.Connected {
			return nil
		}
		if st.Err != nil {
			last = fmt.Errorf("server %s: %w", st.Server, st.Err)
		}
	}
	if last == nil {
		last = errors.New("not connected yet")
	}
	return last
}

// Tunnels returns the state of each tunnel, in the order of Servers.
func (a *Agent) Tunnels() []TunnelInfo {
	infos := make([]TunnelInfo, 0, len(a.tunnels))
	for _, t := range a.tunnels {
		infos = append(infos, t.status())
	}
	return infos
}

// dialTarget connects to a target, if the policy allows.
func (a *Agent) dialTarget(ctx context.Context, network, address string) (c net.Conn, err error) {
	begin := time.Now()
	defer func() {
		if t := a.cfg.Trace; t != nil && t.DialDone != nil {
			t.DialDone(network, address, time.Since(begin), err)
		}
	}()
	if err := a.precheck(ctx, network, address); err != nil {
		return nil, err
	}
	return a.target.DialContext(ctx, network, address)
}

// precheck refuses what no rule could allow, before a name is looked up: a
// lookup alone already tells the outside something.
func (a *Agent) precheck(ctx context.Context, network, address string) error {
	host, err := checkDestination(network, address)
	if err == nil {
		err = a.cfg.Policy.AllowName(ctx, host, portOf(address))
	} else {
		err = fmt.Errorf("%w: %w", dialer.ErrDenied, err)
	}
	return dialer.Wrap(err, dialer.HopPolicy, network, address)
}
