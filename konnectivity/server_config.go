package konnectivity

import (
	"crypto/tls"
	"log/slog"
	"net"
	"time"
)

// ServerConfig configures a [Server]. It is read once; the caller may reuse it.
type ServerConfig struct {
	// ID names this server to its agents. Empty means a random one.
	ID string

	// TLS is the configuration agents are met with; required. It must ask for and
	// verify client certificates, since Identity binds what an agent may claim to
	// its certificate: transport.ServerConfig builds one that also reloads its
	// files. NextProtos is filled in.
	TLS *tls.Config

	// Identity decides what an agent may claim; required.
	Identity Identity

	// DialTimeout bounds each dial. Zero means dialer.DefaultTimeout, negative no
	// bound but the caller's context.
	DialTimeout time.Duration

	// HandshakeTimeout bounds an agent's TLS handshake and, again, its hello. Zero
	// means 10 s. It cannot be switched off.
	HandshakeTimeout time.Duration

	// KeepAlive is the time between pings; a dead agent is noticed within three of
	// them. Zero means 4 s, negative sends none.
	KeepAlive time.Duration

	// MaxAgents bounds the tunnels that are up. Zero means 16384.
	MaxAgents int

	// MaxTunnelsPerAgent bounds the tunnels of one agent id, so that no agent can
	// take the place of the others. Zero means 8.
	MaxTunnelsPerAgent int

	// MaxHandshakes bounds the tunnels that are being set up. When there are more,
	// the one that has taken longest is given up for the newest. Zero means 128.
	MaxHandshakes int

	// MemoryPerAgent bounds what one agent's connections may hold in receive
	// windows, in bytes. Zero means 64 MiB.
	MemoryPerAgent int

	// Log gets agents coming, going and being refused. Nil is silent.
	Log *slog.Logger

	// Trace is told of agents; nil of its hooks or nil altogether is fine.
	Trace *ServerTrace
}

// ServerTrace is a set of hooks, any of which may be nil. They are called on the
// goroutine of the agent's tunnel and must not block.
type ServerTrace struct {
	AgentUp func(AgentInfo)
	// AgentDown gets why the tunnel ended: ErrLeft when the agent had asked for no
	// new connections before.
	AgentDown    func(AgentInfo, error)
	AgentRefused func(AgentRefusal)
}

// AgentRefusal tells about an agent that was not taken.
type AgentRefusal struct {
	Remote net.Addr
	// AgentID is what it called itself, and Subject that of its certificate; empty
	// when it did not come that far.
	AgentID, Subject string
	Err              error
}

func (c *ServerConfig) handshakeTimeout() time.Duration {
	return positiveOr(c.HandshakeTimeout, 10*time.Second)
}
func (c *ServerConfig) maxAgents() int          { return positiveOr(c.MaxAgents, 16384) }
func (c *ServerConfig) maxTunnelsPerAgent() int { return positiveOr(c.MaxTunnelsPerAgent, 8) }
func (c *ServerConfig) maxHandshakes() int      { return positiveOr(c.MaxHandshakes, 128) }

func positiveOr[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
