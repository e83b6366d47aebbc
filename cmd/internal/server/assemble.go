package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/sallyport/sallyport/cmd/internal/program"
	"github.com/sallyport/sallyport/cmd/internal/web"
	"github.com/sallyport/sallyport/contrib/prometheus"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/transport"
)

// parts are what the program consists of. Nothing of it has been started, and Run
// makes the listeners.
type parts struct {
	agents               *konnectivity.Server
	front                *konnectivity.Frontend
	agentPort, frontPort net.Listener
	program.Ports
}

// assemble builds the parts from flags that Validate has found right.
func (o *Options) assemble(log *slog.Logger) (*parts, error) {
	strategies, err := o.strategies()
	if err != nil {
		return nil, err
	}
	registry := web.NewRegistry()
	metrics, err := prometheus.NewServerMetrics(registry, strategies...)
	if err != nil {
		return nil, err
	}
	p := new(parts)
	if p.agents, err = o.agentServer(strategies, metrics, log); err != nil {
		return nil, err
	}
	if err := metrics.Agents(p.agents.Agents); err != nil {
		return nil, err
	}
	if p.front, err = o.frontend(p.agents, metrics, log); err != nil {
		return nil, err
	}
	p.HealthHandler = web.ServerHealth(registry, p.agents.Ready)
	p.AdminHandler = web.ServerAdmin(registry, o.Profiling)
	return p, nil
}

func (o *Options) agentServer(strategies []konnectivity.Strategy, metrics *prometheus.ServerMetrics, log *slog.Logger) (*konnectivity.Server, error) {
	protocols, err := o.protocols()
	if err != nil {
		return nil, err
	}
	identity, err := o.identity(log)
	if err != nil {
		return nil, err
	}
	o.warnOfAnyAgent(strategies, log)
	conf, err := o.tlsConfig("cluster", o.ClusterCert, o.ClusterKey, o.ClusterCACert, log)
	if err != nil {
		return nil, err
	}
	return konnectivity.NewServer(konnectivity.ServerConfig{
		ID: o.ServerID, ServerCount: o.ServerCount,
		TLS: conf, Identity: identity, Protocols: protocols, ALPN: o.alpn(), Strategies: strategies,
		DialTimeout: o.BackendDialTimeout, KeepAlive: shorter(o.KeepaliveTime, ownKeepalive),
		Log: log, Trace: metrics.Trace(),
	})
}

func (o *Options) frontend(agents *konnectivity.Server, metrics *prometheus.ServerMetrics, log *slog.Logger) (*konnectivity.Frontend, error) {
	mode := konnectivity.Mode(o.Mode)
	cfg := konnectivity.FrontendConfig{
		Dialer: agents, Mode: mode, DialTimeout: o.BackendDialTimeout, KeepAlive: shorter(o.FrontendKeepalive, ownFrontendKeepalive),
		Log: log.With("frontend", o.Mode), Trace: metrics.FrontendTrace(mode),
	}
	if o.UDSName == "" {
		conf, err := o.tlsConfig("server", o.ServerCert, o.ServerKey, o.ServerCACert, log)
		if err != nil {
			return nil, err
		}
		cfg.TLS = conf
	}
	return konnectivity.NewFrontend(cfg)
}

// Silences after which our own ends ping. Konnectivity's default of an hour would
// leave a dead peer unnoticed for as long.
const (
	ownKeepalive         = 4 * time.Second
	ownFrontendKeepalive = time.Minute
)

// shorter returns asked where it is a time shorter than own, and own otherwise.
func shorter(asked, own time.Duration) time.Duration {
	if asked <= 0 {
		return own
	}
	return min(asked, own)
}

// tlsConfig returns the configuration of a listener whose peers show certificates,
// from the flags that begin with prefix. All files reload.
func (o *Options) tlsConfig(prefix, cert, key, ca string, log *slog.Logger) (*tls.Config, error) {
	files := transport.FileOptions{Log: log}
	pair, err := transport.NewKeyPair(cert, key, files)
	if err != nil {
		return nil, fmt.Errorf("--%s-cert and --%s-key: %w", prefix, prefix, err)
	}
	roots, err := transport.NewCAFile(ca, files)
	if err != nil {
		return nil, fmt.Errorf("--%s-ca-cert: %w", prefix, err)
	}
	least, raised, err := o.minTLS()
	if err != nil {
		return nil, err
	}
	if raised {
		log.Warn("TLS below 1.2 is broken and not served", "flag", "--tls-min-version", "value", o.TLSMinVersion, "listener", prefix)
	}
	suites, err := o.cipherSuites()
	if err != nil {
		return nil, err
	}
	conf, err := transport.ServerConfig(transport.ServerOptions{Certificates: pair, ClientRoots: roots, MinVersion: least})
	if err != nil {
		return nil, err
	}
	return withSuites(conf, suites), nil
}

// withSuites limits the cipher suites of TLS 1.2 in each handshake's configuration.
func withSuites(conf *tls.Config, suites []uint16) *tls.Config {
	if suites == nil {
		return conf
	}
	conf.CipherSuites = suites
	perClient := conf.GetConfigForClient
	conf.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c, err := perClient(hello)
		if err == nil && c != nil {
			c.CipherSuites = suites
		}
		return c, err
	}
	return conf
}
