package konnectivity

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// ServerConfig configures a [Server]. It is read once; the caller may reuse it.
type ServerConfig struct {
	// ID names this server to its agents. Empty means a random one.
	ID string

	// TLS is the configuration agents are met with; required. It must ask for and
	// verify client certificates, since Identity binds what an agent may claim to
	// its credential: transport.ServerConfig builds one that also reloads its
	// files. NextProtos is filled in. Only with Tokens may agents come without a
	// certificate, and then ClientAuth says what they need:
	//
	//   - RequireAndVerifyClientCert: a certificate and a token, both.
	//   - VerifyClientCertIfGiven: at least one of them, as
	//     transport.ServerOptions.ClientsOptional makes it. An agent that shows
	//     both is held to both.
	//   - NoClientCert: a token. There is nothing to verify, and so no need of
	//     transport.ServerConfig: with a transport.KeyPair as pair this is all of
	//     it, and it reloads its files,
	//     &tls.Config{GetCertificate: pair.GetCertificate, MinVersion: tls.VersionTLS13}
	//
	// With GetConfigForClient it is the ClientAuth of this Config that says so,
	// and zero means what VerifyClientCertIfGiven does.
	TLS *tls.Config

	// Tokens checks the bearer tokens of agents. Nil means that a certificate is
	// the only credential; a token that comes with one is not looked at.
	Tokens TokenAuthenticator

	// Identity decides what an agent may claim; required.
	Identity Identity

	// Protocols are the protocols served, in order of preference; agents of both
	// come in on one port. None means ProtocolYamux and ProtocolGRPC.
	Protocols []Protocol
	// ALPN are further ALPN values that mean gRPC, besides "h2", for agents that
	// are told apart by them on their way here.
	ALPN []string

	// Strategies are the ways to find the agents for a destination, in order; the
	// first that finds one wins. None means StrategyDestHost, StrategyCIDR and
	// StrategyDefaultRoute.
	Strategies []Strategy

	// ServerCount is how many servers there are for each agent to connect to, this
	// one included; agents are told and look for as many. Zero means 1. It is at
	// most 65535.
	ServerCount int

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

	// MaxHandshakes bounds the tunnels that are being set up, and those refused that
	// are reading why. When there are more, any one of them is given up for the
	// newest. Zero means 128.
	MaxHandshakes int

	// MemoryPerAgent bounds what the connections of each of an agent's tunnels may
	// hold in receive windows, in bytes. Zero means 64 MiB.
	MemoryPerAgent int

	// Log gets agents coming, going and being refused. Nil is silent.
	Log *slog.Logger

	// Trace is told of agents; nil of its hooks or nil altogether is fine.
	Trace *ServerTrace
}

func serverConfigError(field, problem string, args ...any) error {
	return fmt.Errorf("konnectivity: ServerConfig.%s"+problem, append([]any{field}, args...)...)
}

// maxServerCount bounds how many servers an agent can be told of.
const maxServerCount = 1<<16 - 1

func checkServerConfig(cfg *ServerConfig) (protocols, error) {
	if err := checkServerTLS(cfg.TLS, cfg.Tokens != nil); err != nil {
		return protocols{}, err
	}
	if cfg.Identity == nil {
		return protocols{}, errors.New("konnectivity: ServerConfig.Identity is required: without it any agent could claim any node's traffic")
	}
	p, field, err := newProtocols(cfg.Protocols, cfg.ALPN)
	if err != nil {
		return p, serverConfigError(field, ": %w", err)
	}
	if err := checkStrategies(cfg.Strategies); err != nil {
		return p, serverConfigError("Strategies", ": %w", err)
	}
	if cfg.ServerCount < 0 || cfg.ServerCount > maxServerCount {
		return p, serverConfigError("ServerCount", " is %d: want 0 to %d, 0 for 1", cfg.ServerCount, maxServerCount)
	}
	return p, nil
}

func checkServerTLS(c *tls.Config, tokens bool) error {
	switch {
	case c == nil:
		return serverConfigError("TLS", " is required: agents are met over TLS only")
	case len(c.Certificates) == 0 && c.GetCertificate == nil && c.GetConfigForClient == nil:
		return serverConfigError("TLS", " has no certificate: set Certificates or GetCertificate, or use transport.ServerConfig")
	case !tokens && c.ClientAuth == tls.VerifyClientCertIfGiven:
		return serverConfigError("TLS.ClientAuth", " is %v and Tokens is nil: set Tokens, or leave out transport.ServerOptions.ClientsOptional", c.ClientAuth)
	case c.GetConfigForClient != nil && c.ClientAuth == tls.NoClientCert:
		return nil // the hook alone knows; each handshake is checked instead
	case !tokens && c.ClientAuth != tls.RequireAndVerifyClientCert:
		return serverConfigError("TLS.ClientAuth", " is %v: want RequireAndVerifyClientCert, agents are known by their certificates; only with Tokens may they come without", c.ClientAuth)
	case tokens && c.ClientAuth != tls.RequireAndVerifyClientCert && c.ClientAuth != tls.VerifyClientCertIfGiven && c.ClientAuth != tls.NoClientCert:
		return serverConfigError("TLS.ClientAuth", " is %v: want RequireAndVerifyClientCert, VerifyClientCertIfGiven or NoClientCert, a certificate is verified or not asked for", c.ClientAuth)
	case c.ClientCAs == nil && c.GetConfigForClient == nil && c.ClientAuth != tls.NoClientCert:
		return serverConfigError("TLS.ClientCAs", " is nil, which would mean the system's authorities: set it to the agents' own")
	}
	return nil
}

func (c *ServerConfig) handshakeTimeout() time.Duration {
	return positiveOr(c.HandshakeTimeout, 10*time.Second)
}
func (c *ServerConfig) serverCount() uint64     { return uint64(max(c.ServerCount, 1)) }
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
