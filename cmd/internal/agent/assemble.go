package agent

import (
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"time"

	"github.com/sallyport/sallyport/cmd/internal/flags"
	"github.com/sallyport/sallyport/cmd/internal/program"
	"github.com/sallyport/sallyport/cmd/internal/web"
	"github.com/sallyport/sallyport/contrib/prometheus"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/transport"
)

// parts are what the program consists of. Nothing of it has been started, and Run
// makes the listeners.
type parts struct {
	agent *konnectivity.Agent
	program.Ports
}

// assemble builds the parts from flags that Validate has found right.
func (o *Options) assemble(log *slog.Logger) (*parts, error) {
	registry := web.NewRegistry()
	metrics, err := prometheus.NewAgentMetrics(registry)
	if err != nil {
		return nil, err
	}
	cfg, err := o.config(log)
	if err != nil {
		return nil, err
	}
	cfg.Trace = metrics.Trace()
	p := new(parts)
	if p.agent, err = konnectivity.NewAgent(cfg); err != nil {
		return nil, err
	}
	if err := metrics.Tunnels(p.agent.Tunnels); err != nil {
		return nil, err
	}
	p.HealthHandler = web.AgentHealth(registry, p.agent.Ready)
	p.AdminHandler = web.AgentAdmin(o.HealthPort, o.Profiling)
	return p, nil
}

func (o *Options) config(log *slog.Logger) (cfg konnectivity.AgentConfig, err error) {
	cfg = konnectivity.AgentConfig{
		ID: o.AgentID, Servers: []string{net.JoinHostPort(o.ServerHost, strconv.Itoa(o.ServerPort))},
		KeepSearching: o.SyncForever, ALPN: flags.List(o.ALPN),
		KeepAlive: shorter(o.KeepaliveTime, ownKeepalive), DrainTimeout: o.DrainTimeout, Log: log,
	}
	if cfg.ID == "" {
		cfg.ID = randomID()
	}
	if o.DrainTimeout == 0 {
		cfg.DrainTimeout = -1 // at once
	}
	if o.Given("sync-interval") {
		cfg.MinBackoff = o.SyncInterval
	}
	if o.Given("sync-interval-cap") {
		cfg.MaxBackoff = o.SyncIntervalCap
	}
	if cfg.Protocols, err = o.protocols(); err != nil {
		return cfg, err
	}
	if cfg.Identifiers, err = o.identifiers(log); err != nil {
		return cfg, err
	}
	if cfg.Policy, err = o.policy(log); err != nil {
		return cfg, err
	}
	return cfg, o.credentials(&cfg, log)
}

// credentials fills in what servers are verified by, and what they are shown.
// All files reload.
func (o *Options) credentials(cfg *konnectivity.AgentConfig, log *slog.Logger) error {
	files := transport.FileOptions{Log: log}
	roots, err := transport.NewCAFile(o.CACert, files)
	if err != nil {
		return fmt.Errorf("--ca-cert: %w", err)
	}
	cfg.Roots = roots
	if o.AgentCert != "" {
		pair, err := transport.NewKeyPair(o.AgentCert, o.AgentKey, files)
		if err != nil {
			return fmt.Errorf("--agent-cert and --agent-key: %w", err)
		}
		cfg.Certificates = pair
	}
	if o.TokenPath != "" {
		cfg.Token = konnectivity.TokenFile(o.TokenPath)
	}
	return nil
}

// ownKeepalive is the time between our own pings. Konnectivity's default of an
// hour would leave a dead server unnoticed for as long.
const ownKeepalive = 4 * time.Second

// shorter returns asked where it is a time shorter than own, and own otherwise.
func shorter(asked, own time.Duration) time.Duration {
	if asked <= 0 {
		return own
	}
	return min(asked, own)
}

// randomID returns a UUID, as Konnectivity's agents have by default.
func randomID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
