package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
)

func TestDialThroughAgent(t *testing.T) { eachLink(t, testDialThroughAgent) }

func testDialThroughAgent(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	w.run(w.agentConfig("edge", everywhere))
	to := echo(t)
	c := dial(t, w.srv, to)
	talk(t, c, "hello")
	if got := c.RemoteAddr().String(); got != to {
		t.Errorf("RemoteAddr %s, want %s", got, to)
	}
	if c.LocalAddr() == nil || c.LocalAddr().String() == "" {
		t.Errorf("LocalAddr %v", c.LocalAddr())
	}
	c.(dialer.CloseWriter).CloseWrite()
	if rest, err := io.ReadAll(c); err != nil || len(rest) != 0 {
		t.Errorf("after half-close: %q, %v", rest, err)
	}
}

func TestConstructionFailsClosed(t *testing.T) {
	ca := testpki.MustCA(t, "tunnel")
	good := ServerConfig{TLS: serverTLS(t, ca), Identity: anyClaim}
	for name, spoil := range map[string]func(*ServerConfig){
		"TLS":         func(c *ServerConfig) { c.TLS = nil },
		"certificate": func(c *ServerConfig) { c.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert} },
		"ClientCAs":   func(c *ServerConfig) { c.TLS = c.TLS.Clone(); c.TLS.ClientCAs = nil },
		"ClientAuth":  func(c *ServerConfig) { c.TLS = c.TLS.Clone(); c.TLS.ClientAuth = tls.RequestClientCert },
		"Identity":    func(c *ServerConfig) { c.Identity = nil },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := NewServer(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("server without %s: %v", name, err)
		}
	}
	w := &world{t: t, ca: ca, addr: "127.0.0.1:1", logs: new(logs), agentLogs: new(logs)}
	for name, spoil := range map[string]func(*AgentConfig){
		"ID":           func(c *AgentConfig) { c.ID = "" },
		"Servers":      func(c *AgentConfig) { c.Servers = nil },
		"Servers[1]":   func(c *AgentConfig) { c.Servers = []string{"127.0.0.1:1", "nowhere"} },
		"Roots":        func(c *AgentConfig) { c.Roots = nil },
		"Certificates": func(c *AgentConfig) { c.Certificates = nil },
		"Policy":       func(c *AgentConfig) { c.Policy = nil },
		"Identifiers":  func(c *AgentConfig) { c.Identifiers.Hosts = []string{"a b"} },
	} {
		cfg := w.agentConfig("edge", everywhere)
		spoil(&cfg)
		if _, err := NewAgent(cfg); err == nil || !strings.Contains(err.Error(), "AgentConfig."+name) {
			t.Errorf("agent with bad %s: %v", name, err)
		}
	}
}

func TestErrorsKeepTheirKind(t *testing.T) { eachLink(t, testErrorsKeepTheirKind) }

func testErrorsKeepTheirKind(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	cfg := w.agentConfig("edge", everywhere)
	cfg.Resolver = resolver{"none.test": nil}
	cfg.Policy, _ = NewPolicy(PolicyRule{CIDRs: []string{"127.0.0.1/32", "198.51.100.0/24"}})
	w.run(cfg)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, c := range []struct {
		address, hop string
		is           []error
	}{
		{closed.Addr().String(), dialer.HopTarget, []error{dialer.ErrRefused, syscall.ECONNREFUSED}},
		{"none.test:80", dialer.HopResolve, []error{dialer.ErrNoSuchHost}},
		{"127.0.0.2:80", dialer.HopPolicy, []error{dialer.ErrDenied}},
		{"[::ffff:127.0.0.1]:80", dialer.HopPolicy, []error{dialer.ErrDenied}},
	} {
		_, err := w.srv.DialContext(context.Background(), "tcp", c.address)
		de, ok := errors.AsType[*dialer.Error](err)
		if !ok || !de.At(c.hop) || !strings.Contains(de.Hop, "edge") {
			t.Errorf("%s: %v: want hop %s via agent edge", c.address, err, c.hop)
		}
		for _, is := range c.is {
			if !errors.Is(err, is) {
				t.Errorf("%s: %v is not %v", c.address, err, is)
			}
		}
		if dialer.Retryable(err) {
			t.Errorf("%s: %v is retryable", c.address, err)
		}
	}
}

// resolver answers from a map; a name it lacks does not exist.
type resolver map[string][]netip.Addr

func (r resolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if len(r[host]) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return r[host], nil
}

func TestBadDestinationsAreRefusedHere(t *testing.T) {
	w := newWorld(t, nil)
	for _, c := range [][2]string{
		{"udp", "127.0.0.1:53"}, {"unix", "/run/x"}, {"tcp", ":80"}, {"tcp", "host"}, {"tcp", "host:0"},
		{"tcp", "host:http"}, {"tcp", "ho st:80"}, {"tcp", "host:65536"}, {"", "host:80"},
	} {
		_, err := w.srv.DialContext(context.Background(), c[0], c[1])
		if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSelect) {
			t.Errorf("%s %s: %v", c[0], c[1], err)
		}
	}
}

func TestNoAgent(t *testing.T) {
	w := newWorld(t, nil)
	_, err := w.srv.DialContext(context.Background(), "tcp", "10.0.0.1:80")
	if !errors.Is(err, dialer.ErrNoRoute) || w.srv.Ready() == nil {
		t.Errorf("dial %v, ready %v", err, w.srv.Ready())
	}
}

func TestPicksByIdentifiers(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
	to := echo(t)
	addr := netip.MustParseAddr(hostOf(to))
	w.run(w.agentConfig("default", everywhere))
	w.run(w.agentConfig("wide", Identifiers{CIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}))
	_, stopNarrow := w.run(w.agentConfig("narrow", Identifiers{CIDRs: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/24")}}))
	_, stopHost := w.run(w.agentConfig("host", Identifiers{Addrs: []netip.Addr{addr}}))
	for _, step := range []struct {
		want string
		stop func()
	}{{"host", stopHost}, {"narrow", stopNarrow}, {"wide", nil}} {
		c := dial(t, w.srv, to)
		talk(t, c, "x")
		if got := w.busy(); got != step.want {
			t.Errorf("dialed through %q, want %q", got, step.want)
		}
		c.Close()
		eventually(t, "idle", func() bool { return w.busy() == "" })
		if step.stop != nil {
			step.stop()
			eventually(t, step.want+" gone", func() bool { return !w.knows(step.want) })
		}
	}
}

// busy returns the id of the agent that has a connection.
func (w *world) busy() string {
	for _, a := range w.srv.Agents() {
		if a.Conns > 0 {
			return a.ID
		}
	}
	return ""
}

func TestIdentityRefusesFalseClaim(t *testing.T) { eachLink(t, testIdentityRefusesFalseClaim) }

func testIdentityRefusesFalseClaim(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, func(c *ServerConfig) { c.Identity = NodeIdentity() })
	node := func(name string) AgentConfig {
		cfg := w.agentConfig(name, Identifiers{Hosts: []string{name}})
		cfg.Certificates = staticNode(t, w.ca, name)
		return cfg
	}
	w.run(node("node-1"))
	thief := node("node-2")
	thief.ID, thief.Identifiers = "node-2", Identifiers{Hosts: []string{"node-1"}}
	a, _ := w.start(thief)
	eventually(t, "refusal", func() bool { return errors.Is(a.Ready(), dialer.ErrDenied) })
	if w.knows("node-2") {
		t.Error("an agent claiming another node's name was admitted")
	}
	eventually(t, "the refusal in the server's log", func() bool {
		for line := range strings.Lines(w.logs.String()) {
			if strings.Contains(line, "agent refused") && strings.Contains(line, "agent=node-2") &&
				strings.Contains(line, "may not claim the host") && strings.Contains(line, "system:node:node-2") {
				return true
			}
		}
		return false
	})
	greedy := node("node-3")
	greedy.Identifiers.DefaultRoute = true
	a, _ = w.start(greedy)
	eventually(t, "refusal", func() bool { return errors.Is(a.Ready(), dialer.ErrDenied) })
}

func TestForeignAgentNeverGetsIn(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
	cfg := w.agentConfig("edge", everywhere)
	cfg.Certificates = staticNode(t, testpki.MustCA(t, "tunnel"), "edge")
	a, _ := w.start(cfg)
	eventually(t, "an attempt", func() bool { return strings.Contains(w.logs.String(), "agent refused") })
	if a.Ready() == nil || len(w.srv.Agents()) != 0 {
		t.Error("an agent with a certificate of a foreign authority was admitted")
	}
}

func TestCancelReachesTheAgentsDial(t *testing.T) { eachLink(t, testCancelReachesTheAgentsDial) }

func testCancelReachesTheAgentsDial(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	cfg := w.agentConfig("edge", everywhere)
	hang := make(hangingResolver, 1)
	cfg.Resolver = hang
	cfg.Policy, _ = NewPolicy(PolicyRule{Names: []string{"slow.test"}})
	w.run(cfg)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { _, err := w.srv.DialContext(ctx, "tcp", "slow.test:80"); done <- err }()
	lookup := <-hang
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("dial: %v", err)
	}
	<-lookup.Done() // a hang here is the failure
}

// hangingResolver hands out the context of each lookup, which lasts as long.
type hangingResolver chan context.Context

func (h hangingResolver) LookupNetIP(ctx context.Context, _, _ string) ([]netip.Addr, error) {
	h <- ctx
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestTimeoutNamesTheHop(t *testing.T) { eachLink(t, testTimeoutNamesTheHop) }

func testTimeoutNamesTheHop(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, func(c *ServerConfig) { c.DialTimeout = 50 * time.Millisecond })
	cfg := w.agentConfig("edge", everywhere)
	cfg.Resolver = make(hangingResolver, 1)
	cfg.Policy, _ = NewPolicy(PolicyRule{Names: []string{"slow.test"}})
	w.run(cfg)
	_, err := w.srv.DialContext(context.Background(), "tcp", "slow.test:80")
	de, ok := errors.AsType[*dialer.Error](err)
	if !ok || !de.Timeout() || !errors.Is(err, dialer.ErrTimeout) || !strings.Contains(de.Hop, "agent edge") {
		t.Errorf("%v", err)
	}
}
