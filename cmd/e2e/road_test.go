package e2e

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

// roads are the ways in, and what the agent may speak behind them.
func roads() (all []road) {
	for _, mode := range []konnectivity.Mode{konnectivity.ModeHTTPConnect, konnectivity.ModeGRPC} {
		for _, tcp := range []bool{false, true} {
			for _, protocol := range []string{"yamux", "grpc"} {
				all = append(all, road{mode, tcp, protocol})
			}
		}
	}
	return all
}

type road struct {
	mode     konnectivity.Mode
	tcp      bool
	protocol string
}

func (r road) String() string {
	over := "unix"
	if r.tcp {
		over = "tcp"
	}
	return fmt.Sprintf("%s over %s and %s", r.mode, over, r.protocol)
}

const serverMetric, agentMetric = "konnectivity_network_proxy_server_", "konnectivity_network_proxy_agent_"

func TestRoads(t *testing.T) {
	for _, r := range roads() {
		t.Run(r.String(), func(t *testing.T) {
			w := newWorld(t)
			server := w.server(r.tcp, "--mode="+string(r.mode), "--proxy-strategies=destHost,default", "--enable-profiling", "--agent-identity=node")
			w.checkAlone(r)
			agent := w.agent("--protocols="+r.protocol, "--enable-profiling", "--alpn-proto=[]")
			w.up()
			w.checkReady(r)

			client, target := w.client(r.mode, r.tcp), echo(t)
			c := mustDial(t, client, target)
			talk(t, c, "hello")
			if _, err := dial(t, client, nobody(t)); !errors.Is(err, dialer.ErrRefused) {
				t.Errorf("a dial to nobody: %v, want it refused", err)
			}
			if _, err := dial(t, client, "192.0.2.1:80"); !errors.Is(err, dialer.ErrDenied) {
				t.Errorf("a dial outside of the policy: %v, want it denied", err)
			}
			w.checkCounts()

			server.signal(syscall.SIGTERM)
			eventually(t, "no new dials", func() bool {
				c, err := dial(t, client, target)
				if err == nil {
					c.Close() // it came before the signal, and would hold the drain
				}
				return err != nil
			})
			talk(t, c, "still here")
			if code, body := w.get(w.ports.serverHealth, "/readyz"); code != 500 || body != "the server is draining" {
				t.Errorf("/readyz of a server that drains: %d %q", code, body)
			}
			c.Close()
			server.wantExit(0)
			agent.signal(syscall.SIGTERM)
			agent.wantExit(0)
		})
	}
}

// checkAlone looks at a server without agents.
func (w *world) checkAlone(r road) {
	w.t.Helper()
	eventually(w.t, "the server is alive", func() bool { return w.code(w.ports.serverHealth, "/healthz") == 200 })
	// Whoever it is alive for can connect, if only to hear that there is no agent.
	if _, err := dial(w.t, w.client(r.mode, r.tcp), "127.0.0.1:1"); !errors.Is(err, dialer.ErrNoRoute) {
		w.t.Errorf("a dial without agents: %v, want no route", err)
	}
	w.serial()
	if code, body := w.get(w.ports.serverHealth, "/readyz"); code != 500 || body != "no connection to any proxy agent" {
		w.t.Errorf("/readyz without agents: %d %q", code, body)
	}
	for _, line := range []string{
		`ready_backends{proxy_strategy="destHost"} 0`, `ready_backends{proxy_strategy="default"} 0`, `established_connections 0`,
	} {
		if !w.hasMetric(w.ports.serverHealth, serverMetric+line) || !w.hasMetric(w.ports.serverAdmin, serverMetric+line) {
			w.t.Errorf("without agents, there is no metric %s on both ports", line)
		}
	}
}

// checkReady looks at a server and its agent before any traffic.
func (w *world) checkReady(r road) {
	w.t.Helper()
	if !w.hasMetric(w.ports.serverHealth, serverMetric+`ready_backends{proxy_strategy="default"} 1`) {
		w.t.Error("the server does not count its agent")
	}
	if line := fmt.Sprintf("sallyport_server_tunnels{protocol=%q} 1", r.protocol); !w.hasMetric(w.ports.serverHealth, line) {
		w.t.Errorf("there is no metric %s", line)
	}
	for _, line := range []string{"open_server_connections 1", "known_server_count 1", "open_endpoint_connections 0"} {
		if !w.hasMetric(w.ports.agentHealth, agentMetric+line) {
			w.t.Errorf("the agent has no metric %s", line)
		}
	}
	if _, body := w.get(w.ports.agentHealth, "/readyz?verbose"); !strings.HasSuffix(body, "check passed\n") {
		w.t.Errorf("/readyz?verbose of the agent: %q", body)
	}
	for _, port := range []int{w.ports.serverAdmin, w.ports.agentAdmin} {
		if code := w.code(port, "/debug/pprof/goroutine?debug=1"); code != 200 {
			w.t.Errorf("profile: %d", code)
		}
	}
	// The client follows the redirect to the health port.
	if !w.hasMetric(w.ports.agentAdmin, agentMetric+"open_server_connections 1") {
		w.t.Error("the metrics of the agent's admin port do not lead to those of its health port")
	}
}

// checkCounts looks at what an open connection and three failures have left: one
// without an agent, one refused and one denied.
func (w *world) checkCounts() {
	w.t.Helper()
	for _, line := range []string{
		`dial_failure_count{reason="no_agent"} 1`, `dial_failure_count{reason="error_response"} 2`,
		`established_connections 1`, `pending_backend_dials 0`, `dial_duration_seconds_count 1`,
	} {
		eventually(w.t, "the server's metric "+line, func() bool { return w.hasMetric(w.ports.serverHealth, serverMetric+line) })
	}
	for _, line := range []string{`endpoint_dial_failure_total{reason="unknown"} 2`, `open_endpoint_connections 1`, `dial_duration_seconds_count 1`} {
		eventually(w.t, "the agent's metric "+line, func() bool { return w.hasMetric(w.ports.agentHealth, agentMetric+line) })
	}
	if _, body := w.get(w.ports.serverHealth, "/metrics"); strings.Contains(body, "frontend_close") {
		w.t.Error("a reason that has not occurred is there")
	}
}

// A drain is over at its deadline, whoever stays.
func TestDrainHasADeadline(t *testing.T) {
	for _, who := range []string{"server", "agent"} {
		t.Run(who, func(t *testing.T) {
			w := newWorld(t)
			server, agent := w.server(false, "--mode=http-connect", "--drain-timeout=1s"), w.agent("--drain-timeout=1s")
			w.up()
			c := mustDial(t, w.client(konnectivity.ModeHTTPConnect, false), echo(t))
			talk(t, c, "hello")
			ends := map[string]*process{"server": server, "agent": agent}[who]
			ends.signal(syscall.SIGTERM)
			ends.wantExit(0)
			c.SetReadDeadline(time.Now().Add(patience))
			if n, err := c.Read(make([]byte, 1)); err == nil {
				t.Errorf("%d bytes from a connection that was cut", n)
			}
		})
	}
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	for _, who := range []string{"server", "agent"} {
		t.Run(who, func(t *testing.T) {
			w := newWorld(t)
			server, agent := w.server(false, "--mode=http-connect", "--drain-timeout=10m"), w.agent("--drain-timeout=10m")
			w.up()
			c := mustDial(t, w.client(konnectivity.ModeHTTPConnect, false), echo(t))
			talk(t, c, "hello")
			ends := map[string]*process{"server": server, "agent": agent}[who]
			ends.signal(syscall.SIGTERM)
			eventually(t, "the drain begins", func() bool { return strings.Contains(ends.output.String(), "draining") })
			talk(t, c, "still here")
			if !ends.running() {
				t.Fatal("it has not waited for the connection")
			}
			ends.signal(syscall.SIGTERM)
			ends.wantExit(1)
		})
	}
}

// An explicit 0 is Konnectivity's immediate end.
func TestNoGrace(t *testing.T) {
	w := newWorld(t)
	server := w.server(false, "--mode=http-connect", "--graceful-shutdown-timeout=0")
	w.agent()
	w.up()
	c := mustDial(t, w.client(konnectivity.ModeHTTPConnect, false), echo(t))
	talk(t, c, "hello")
	server.signal(syscall.SIGTERM)
	server.wantExit(0)
	if _, err := io.ReadAll(c); err != nil && errors.Is(err, syscall.EAGAIN) {
		t.Error(err)
	}
}

func TestWhatCannotStart(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		p    *process
		want string
	}{
		"no CA of the agents":   {w.server(false, "--cluster-ca-cert="), "--cluster-ca-cert is empty"},
		"tokens":                {w.server(false, "--agent-namespace=kube-system"), "--agent-namespace"},
		"a socket nowhere":      {w.server(false, "--uds-name="+w.path("none/front.sock")), w.path("none") + " does not exist; make it"},
		"leases":                {w.agent("--count-server-leases"), "--count-server-leases"},
		"no CA of the servers":  {w.agent("--ca-cert="), "--ca-cert is empty"},
		"a CA that is a key":    {w.agent("--ca-cert=" + w.path("agent.key")), "agent.key"},
		"an unknown identifier": {w.agent("--agent-identifiers=node=a"), "--agent-identifiers"},
		"an unknown flag":       {w.agent("--no-such"), "--no-such"},
	} {
		c.p.wantExit(1)
		if !strings.Contains(c.p.output.String(), c.want) {
			t.Errorf("%s: it said\n%s\nwant %s", name, c.p.output, c.want)
		}
	}
}

// A port that is taken ends the program; Konnectivity's goes on without it.
func TestPortThatIsTaken(t *testing.T) {
	w := newWorld(t)
	w.server(false)
	eventually(t, "the server is alive", func() bool { return w.code(w.ports.serverHealth, "/healthz") == 200 })
	other := newWorld(t)
	other.ports.serverHealth = w.ports.serverHealth
	second := other.server(false)
	second.wantExit(1)
	if !strings.Contains(second.output.String(), "--health-port") {
		t.Errorf("it said\n%s\nwant the flag of the port", second.output)
	}
}

// An agent that claims another's id is refused where its certificate is bound to
// its node.
func TestFalseIdentityIsRefused(t *testing.T) {
	w := newWorld(t)
	server := w.server(false, "--agent-identity=node")
	agent := w.agent("--agent-id=node-2")
	eventually(t, "the agent says that it was refused", func() bool {
		return strings.Contains(agent.output.String(), "node-2") && strings.Contains(agent.output.String(), "denied")
	})
	if code := w.code(w.ports.serverHealth, "/readyz"); code != 500 {
		t.Errorf("/readyz: %d, want that there is no agent", code)
	}
	if !strings.Contains(server.output.String(), "DOES NOT LIMIT WHOSE TRAFFIC") {
		t.Error("the server does not say that its strategy picks agents whatever they may claim")
	}
}
