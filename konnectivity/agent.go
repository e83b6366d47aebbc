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
	"github.com/sallyport/sallyport/internal/backoff"
	"github.com/sallyport/sallyport/transport"
)

// AgentConfig configures an [Agent]. It is read once; the caller may reuse it.
type AgentConfig struct {
	// ID names the agent; required. The server's Identity decides whether the
	// agent's certificate allows it.
	ID string

	// Identifiers are what the agent claims to reach. None means that it is never
	// picked, which the agent warns about.
	Identifiers Identifiers

	// Servers are the addresses, host:port, of the servers to keep a tunnel to,
	// each; at least one.
	Servers []string

	// Roots verify the servers; required.
	Roots transport.Roots
	// Certificates is what the agent shows them; required, since a Server knows
	// its agents by nothing else.
	Certificates transport.Certificates
	// ServerName is what the servers' certificates must be valid for. Empty means
	// the host of each address.
	ServerName string
	// Dialer reaches the servers. Nil means direct.
	Dialer dialer.Dialer

	// Policy says what the agent may be made to connect to; required.
	Policy *Policy
	// Resolver resolves targets' names. Nil means the system's.
	Resolver direct.Resolver
	// DialTimeout bounds each connect to a target. Zero means
	// dialer.DefaultTimeout. It cannot be switched off.
	DialTimeout time.Duration

	// HandshakeTimeout bounds reaching a server, and again the hello. Zero means
	// 10 s. It cannot be switched off.
	HandshakeTimeout time.Duration
	// KeepAlive is the time between pings; a dead server is noticed within three
	// of them. Zero means 4 s, negative sends none.
	KeepAlive time.Duration
	// MinBackoff and MaxBackoff bound the jittered wait before a lost tunnel is
	// tried again. Zero means 250 ms and 3 s. An agent that the server refuses
	// waits up to ten times as long.
	MinBackoff, MaxBackoff time.Duration
	// DrainTimeout is how long connections may go on once Run's context has
	// ended. Zero means 10 s, negative ends them at once. A pool of idle HTTP
	// connections at the far end counts as open connections: it is closed there,
	// with CloseIdleConnections, or waited for here.
	DrainTimeout time.Duration
	// MaxConns bounds the connections per tunnel. Zero means 8192. Memory, in
	// bytes, bounds their receive windows together. Zero means 64 MiB.
	MaxConns, Memory int

	// Log gets tunnels coming, going and being refused. Nil is silent.
	Log *slog.Logger
	// Trace is told of them; nil of its hooks or nil altogether is fine.
	Trace *AgentTrace
}

// AgentTrace is a set of hooks, any of which may be nil. They are called on the
// goroutine of the tunnel and must not block.
type AgentTrace struct {
	TunnelUp func(server, serverID string)
	// TunnelDown is called once for each TunnelUp, with ErrLeft when the server had
	// announced it.
	TunnelDown func(server string, err error)
	// ConnectFailed is called for each attempt that did not come to a tunnel.
	ConnectFailed func(server string, err error)
	// DialDone is called after each connect to a target.
	DialDone func(network, address string, took time.Duration, err error)
}

// Agent keeps tunnels to servers and connects to targets for them, within its
// Policy.
type Agent struct {
	cfg      AgentConfig
	log      *slog.Logger
	carrier  dialer.Dialer // verified TLS to a server
	target   *direct.Dialer
	instance string
	tunnels  []*tunnel
	rest     sync.WaitGroup // connections that outlive their tunnel for a while
	patience context.Context
	started  atomic.Bool
}

// ErrAgentStarted is returned by a second Run: an agent runs once.
var ErrAgentStarted = errors.New("konnectivity: the agent has run already")

// NewAgent checks cfg and returns an Agent. It starts nothing.
func NewAgent(cfg AgentConfig) (*Agent, error) {
	if err := checkAgentConfig(&cfg); err != nil {
		return nil, err
	}
	a := &Agent{
		cfg: cfg, log: orDiscard(cfg.Log).With("agent", cfg.ID), instance: randomID(),
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

// configError says which field of a configuration is wrong and what would be
// right.
func configError(field, problem string, args ...any) error {
	return fmt.Errorf("konnectivity: AgentConfig.%s: "+problem, append([]any{field}, args...)...)
}

func checkAgentConfig(cfg *AgentConfig) error {
	if err := checkAgentID(cfg.ID); err != nil {
		return configError("ID", "%w", err)
	}
	ids, err := cfg.Identifiers.Canonical()
	if err != nil {
		return configError("Identifiers", "%w", err)
	}
	cfg.Identifiers = ids
	switch {
	case len(cfg.Servers) == 0:
		return configError("Servers", "it is empty; name at least one host:port")
	case cfg.Roots == nil:
		return configError("Roots", "required: a server is never trusted unseen")
	case cfg.Certificates == nil:
		return configError("Certificates", "required: servers know their agents by them")
	case cfg.Policy == nil:
		return configError("Policy", "required: it says what the agent may be made to connect to")
	}
	for i, s := range cfg.Servers {
		if _, err := checkDestination("tcp", s); err != nil {
			return configError(fmt.Sprintf("Servers[%d]", i), "%w", err)
		}
	}
	return nil
}

func (c *AgentConfig) handshakeTimeout() time.Duration {
	return positiveOr(c.HandshakeTimeout, 10*time.Second)
}
func (c *AgentConfig) dialTimeout() time.Duration {
	return positiveOr(c.DialTimeout, dialer.DefaultTimeout)
}

func (c *AgentConfig) drainTimeout() time.Duration {
	if c.DrainTimeout < 0 {
		return 0
	}
	return positiveOr(c.DrainTimeout, 10*time.Second)
}

// backoff returns the waits after a lost tunnel, and those after a refusal, which
// time alone seldom changes.
func (c *AgentConfig) backoff() (lost, refused *backoff.Backoff) {
	least, most := positiveOr(c.MinBackoff, 250*time.Millisecond), positiveOr(c.MaxBackoff, 3*time.Second)
	return backoff.Policy{Base: least, Max: most}.New(), backoff.Policy{Base: least, Max: 10 * most}.New()
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
