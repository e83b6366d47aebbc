package konnectivity

import (
	"fmt"
	"log/slog"
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

	// Identifiers are what the agent claims to reach. With none it is picked only by
	// servers that pick any agent, by StrategyDefault.
	Identifiers Identifiers

	// Servers are the addresses, host:port, of the servers to keep a tunnel to,
	// each; at least one. An address may be a load balancer's: see MaxServers.
	Servers []string
	// MaxServers bounds the servers the agent looks for because of what servers
	// tell it. It never cuts Servers short. Zero means 16, 1 never to look for
	// more.
	//
	// Servers tell how many of them there are. While fewer different ones are
	// connected, the agent tries further connections through its addresses. One
	// that leads to a server that is connected already is closed at once, and the
	// next waits, longer each time, up to half a minute.
	MaxServers int
	// KeepSearching makes the agent look for more servers, up to MaxServers, also
	// when as many as it was told are connected: for fleets that grow while the
	// servers that are there do not know it.
	KeepSearching bool

	// Protocols are the protocols offered, in order of preference; the server
	// chooses. None means ProtocolYamux and ProtocolGRPC, so that the agent serves
	// our own servers and upstream's.
	Protocols []Protocol
	// ALPN are further ALPN values to offer, before all others. A server that
	// chooses one of them speaks gRPC.
	ALPN []string

	// Roots verify the servers; required.
	Roots transport.Roots
	// Certificates is what the agent shows them, and Token gives a bearer token for
	// each connect, as TokenFile does. At least one is required, since a server
	// knows its agents by nothing else; whether one will do is up to the server.
	Certificates transport.Certificates
	Token        TokenSource
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
	// tried again. Zero means 250 ms and 2.5 s. An agent that the server refuses
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

// configError says which field of a configuration is wrong and what would be
// right.
func configError(field, problem string, args ...any) error {
	return fmt.Errorf("konnectivity: AgentConfig.%s: "+problem, append([]any{field}, args...)...)
}

func checkAgentConfig(cfg *AgentConfig) (p protocols, err error) {
	if err := checkAgentID(cfg.ID); err != nil {
		return p, configError("ID", "%w", err)
	}
	ids, err := cfg.Identifiers.Canonical()
	if err != nil {
		return p, configError("Identifiers", "%w", err)
	}
	cfg.Identifiers = ids
	switch {
	case len(cfg.Servers) == 0:
		return p, configError("Servers", "it is empty; name at least one host:port")
	case cfg.Roots == nil:
		return p, configError("Roots", "required: a server is never trusted unseen")
	case cfg.Certificates == nil && cfg.Token == nil:
		return p, configError("Certificates", "it and Token are nil: servers know their agents by one of them or both")
	case cfg.Policy == nil:
		return p, configError("Policy", "required: it says what the agent may be made to connect to")
	}
	for i, s := range cfg.Servers {
		if _, err := checkDestination("tcp", s); err != nil {
			return p, configError(fmt.Sprintf("Servers[%d]", i), "%w", err)
		}
	}
	if cfg.MaxServers < 0 {
		return p, configError("MaxServers", "%d; want 1 or more, or 0 for 16", cfg.MaxServers)
	}
	p, field, err := newProtocols(cfg.Protocols, cfg.ALPN)
	if err != nil {
		return p, configError(field, "%w", err)
	}
	return p, nil
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

func (c *AgentConfig) maxServers() int { return positiveOr(c.MaxServers, 16) }

// searchGrowth is slower than doubling: behind a load balancer finding the last of
// several servers takes many attempts.
const searchGrowth = 1.5

// backoff returns the waits after a lost tunnel; after a refusal, which time alone
// seldom changes; and between looks for a further server.
func (c *AgentConfig) backoff() (lost, refused, search *backoff.Backoff) {
	least, most := positiveOr(c.MinBackoff, 250*time.Millisecond), positiveOr(c.MaxBackoff, 2500*time.Millisecond)
	return backoff.Policy{Base: least, Max: most}.New(),
		backoff.Policy{Base: least, Max: 10 * most}.New(),
		backoff.Policy{Base: least, Max: max(longestSearch, most), Factor: searchGrowth}.New()
}
