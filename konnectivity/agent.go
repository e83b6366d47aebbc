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
	roster   *roster
	keepers  []*keeper
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
	a.roster = &roster{max: cfg.maxServers(), more: cfg.KeepSearching, told: a.serverCount, want: 1, changed: make(chan struct{})}
	for _, server := range cfg.Servers {
		a.keepers = append(a.keepers, newKeeper(a, server))
	}
	return a, nil
}

// Run keeps the tunnels up until ctx ends. Then it asks the servers for no new
// connections, lets the open ones go on for DrainTimeout, closes what is left
// and joins everything it started. It returns the cause of ctx's end, which is
// context.Canceled where that was a normal stop.
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
		a.log.Info("the agent claims nothing, so only servers that pick any agent will pick it")
	}
	var running sync.WaitGroup
	for _, k := range a.keepers {
		running.Go(func() { k.run(ctx) })
	}
	running.Wait()
	a.rest.Wait()
	return context.Cause(ctx)
}

// Ready returns nil when at least one tunnel is up, or why none is.
func (a *Agent) Ready() error {
	var last error
	for _, st := range a.Tunnels() {
		if st.Connected {
			return nil
		}
		if st.Err != nil && (last == nil || !errors.Is(st.Err, ErrDuplicateServer)) {
			last = fmt.Errorf("server %s: %w", st.Server, st.Err)
		}
	}
	if last == nil {
		last = errors.New("not connected yet")
	}
	return last
}

// Tunnels returns the state of each tunnel, in the order of Servers. An address
// without a tunnel has one entry, which tells why; one with several, one each.
func (a *Agent) Tunnels() []TunnelInfo {
	var infos []TunnelInfo
	for _, k := range a.keepers {
		infos = append(infos, k.status()...)
	}
	return infos
}

// serverCount tells how many servers are wanted.
func (a *Agent) serverCount(n int) {
	if t := a.cfg.Trace; t != nil && t.ServerCount != nil {
		t.ServerCount(n)
	}
}

// connOpened tells of a target that was connected to; ended is to be called at the
// connection's end.
func (a *Agent) connOpened(address string) (ended func()) {
	t := a.cfg.Trace
	if t != nil && t.ConnOpened != nil {
		t.ConnOpened(address)
	}
	if t == nil || t.ConnClosed == nil {
		return func() {}
	}
	since := time.Now()
	return func() { t.ConnClosed(address, time.Since(since)) }
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
