package konnectivity

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/dialer/dialertest"
	"github.com/sallyport/sallyport/direct"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/selector"
	"github.com/sallyport/sallyport/transport"
)

func TestConformance(t *testing.T) {
	for name, fixture := range map[string]func(t *testing.T) dialertest.Fixture{
		"failover to tunnel":       func(t *testing.T) dialertest.Fixture { return dialertest.Fixture{Dialer: stack(t)} },
		"TLS over tunnel":          func(t *testing.T) dialertest.Fixture { return overTLS(t, tunnelOf(t)) },
		"TLS over failover":        func(t *testing.T) dialertest.Fixture { return overTLS(t, stack(t)) },
		"selector of TLS failover": selected,
	} {
		t.Run(name, func(t *testing.T) { dialertest.Run(t, fixture) })
	}
}

// Every link has to give real conns, and so has one that is watched for a trace.
func TestConformanceOfLinks(t *testing.T) {
	eachLink(t, func(t *testing.T, link linkCase) {
		for name, tune := range map[string]func(*ServerConfig){
			"plain":  nil,
			"traced": func(c *ServerConfig) { c.Trace = new(events).server() },
		} {
			t.Run(name, func(t *testing.T) {
				dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
					w := link.world(t, tune)
					w.run(w.agentConfig("edge", everywhere))
					return dialertest.Fixture{Dialer: w.srv}
				})
			})
		}
	})
}

// tunnelOf is a server with one agent.
func tunnelOf(t *testing.T) *Server {
	w := newWorld(t, nil)
	w.run(w.agentConfig("edge", everywhere))
	return w.srv
}

// stack prefers a tunnel that has no agent, so that every dial fails over to one
// that has.
func stack(t *testing.T) dialer.Dialer {
	d, err := selector.Failover(
		selector.Route{Name: "empty", Dialer: newWorld(t, nil).srv},
		selector.Route{Name: "tunnel", Dialer: tunnelOf(t)},
		selector.Route{Name: "direct", Dialer: &direct.Dialer{}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// overTLS puts verified TLS to the target over d.
func overTLS(t *testing.T, d dialer.Dialer) dialertest.Fixture {
	ca := testpki.MustCA(t, "targets")
	pair := ca.MustPair(t, testpki.Leaf{CommonName: "target", Names: []string{"127.0.0.1"}})
	td, err := transport.New(transport.Config{Dialer: d, Roots: transport.StaticRoots(ca.Pool())})
	if err != nil {
		t.Fatal(err)
	}
	return dialertest.Fixture{
		Dialer: td, WriteTimeoutFatal: true,
		Listen: func(t testing.TB) net.Listener {
			ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
			if err != nil {
				t.Fatal(err)
			}
			return ln
		},
	}
}

func selected(t *testing.T) dialertest.Fixture {
	f := overTLS(t, stack(t))
	sel, err := selector.New(selector.Config{
		Rules:  []selector.Rule{{Class: selector.Pod, CIDRs: []string{"127.0.0.0/8"}}},
		Routes: map[selector.Class]selector.Route{selector.Pod: {Name: "pods", Dialer: f.Dialer}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Dialer = sel
	return f
}
