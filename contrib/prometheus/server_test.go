package prometheus

import (
	"context"
	"io"
	"net/netip"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

func TestReadyBackends(t *testing.T) {
	reg := prom.NewRegistry()
	m := newServer(t, reg, konnectivity.StrategyDestHost, konnectivity.StrategyCIDR, konnectivity.StrategyDefaultRoute, konnectivity.StrategyDefault)
	tr := m.Trace()
	a := node("a", konnectivity.Identifiers{
		Hosts: []string{"a", "shared"}, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")},
		CIDRs: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, DefaultRoute: true,
	})
	b := node("b", konnectivity.Identifiers{Hosts: []string{"shared"}})
	want := func(destHost, cidr, defaultRoute, all float64) {
		t.Helper()
		wantValues(t, reg, theirs+"_server_ready_backends",
			map[string]float64{"destHost": destHost, "cidr": cidr, "defaultRoute": defaultRoute, "default": all})
		wantValues(t, reg, theirs+"_server_ready_backend_connections", map[string]float64{"": all})
	}
	tr.AgentUp(a)
	tr.AgentUp(a) // a second tunnel of the same agent
	want(3, 1, 1, 1)
	tr.AgentUp(b)
	want(3, 1, 1, 2)
	wantValues(t, reg, theirs+"_server_grpc_connections", map[string]float64{"Proxy": 0, "Connect": 3})
	tr.AgentDown(a, konnectivity.ErrLeft)
	want(3, 1, 1, 2)
	tr.AgentDown(a, io.EOF)
	want(1, 0, 0, 1)
	tr.AgentDown(b, io.EOF)
	want(0, 0, 0, 0)
	wantValues(t, reg, ours+"_server_tunnels_ended_total", map[string]float64{"left": 1, "lost": 2})
}

func TestServerReasons(t *testing.T) {
	remote := func(hop string, k dialer.Kind) error {
		return &dialer.Error{Hop: hop, Err: &dialer.RemoteError{Kind: k, Text: "no"}}
	}
	for name, c := range map[string]struct {
		agent  string
		err    error
		reason string
		kind   string
	}{
		"no agent":             {"", &dialer.Error{Hop: dialer.HopAgent, Err: dialer.ErrNoRoute}, "no_agent", "no_route"},
		"refused by target":    {"a", remote(dialer.HopTarget+" via agent a", dialer.Refused), "error_response", "refused"},
		"timeout at target":    {"a", remote(dialer.HopTarget+" via agent a", dialer.Timeout), "error_response", "timeout"},
		"denied by policy":     {"a", remote(dialer.HopPolicy+" via agent a", dialer.Denied), "error_response", "denied"},
		"name not found":       {"a", remote(dialer.HopResolve+" via agent a", dialer.NoSuchHost), "error_response", "no_such_host"},
		"client gave up":       {"a", &dialer.Error{Hop: dialer.HopAgent, Err: context.Canceled}, "frontend_close", "canceled"},
		"agent does not reply": {"a", &dialer.Error{Hop: dialer.HopAgent, Err: context.DeadlineExceeded}, "backend_dial_timeout", "timeout"},
		"tunnel lost":          {"a", &dialer.Error{Hop: dialer.HopAgent, Err: io.ErrUnexpectedEOF}, "backend_close", "other"},
	} {
		t.Run(name, func(t *testing.T) {
			reg := prom.NewRegistry()
			tr := newServer(t, reg).Trace()
			d := konnectivity.DialInfo{AgentID: c.agent}
			tr.DialStart(d)
			wantValues(t, reg, theirs+"_server_pending_backend_dials", map[string]float64{"": 1})
			tr.DialDone(d, time.Second, c.err)
			wantValues(t, reg, theirs+"_server_pending_backend_dials", map[string]float64{"": 0})
			wantValues(t, reg, theirs+"_server_dial_failure_count", map[string]float64{c.reason: 1})
			wantValues(t, reg, ours+"_server_dial_failures_total", map[string]float64{c.kind: 1})
			wantValues(t, reg, theirs+"_server_dial_duration_seconds", map[string]float64{"": 0})
		})
	}
}

func TestServerConnections(t *testing.T) {
	reg := prom.NewRegistry()
	tr, d := newServer(t, reg).Trace(), konnectivity.DialInfo{AgentID: "a"}
	tr.DialStart(d)
	tr.DialDone(d, time.Second, nil)
	tr.ConnOpened(d)
	wantValues(t, reg, theirs+"_server_established_connections", map[string]float64{"": 1})
	wantValues(t, reg, theirs+"_server_connection_duration_seconds", map[string]float64{"": 0})
	tr.ConnClosed(d, time.Minute)
	wantValues(t, reg, theirs+"_server_established_connections", map[string]float64{"": 0})
	wantValues(t, reg, theirs+"_server_connection_duration_seconds", map[string]float64{"": 1})
	wantValues(t, reg, theirs+"_server_dial_duration_seconds", map[string]float64{"": 1})
	wantValues(t, reg, theirs+"_server_dial_failure_count", nil)
}

func TestFrontendClientsByMode(t *testing.T) {
	reg := prom.NewRegistry()
	m := newServer(t, reg)
	grpc, connect := m.FrontendTrace(konnectivity.ModeGRPC), m.FrontendTrace(konnectivity.ModeHTTPConnect)
	grpc.ClientUp()
	grpc.ClientUp()
	grpc.ClientDown()
	connect.ClientUp()
	wantValues(t, reg, theirs+"_server_grpc_connections", map[string]float64{"Proxy": 1, "Connect": 0})
	wantValues(t, reg, theirs+"_server_http_connections", map[string]float64{"": 1})
	connect.DialDone("x:1", time.Second, dialer.ErrRefused)
	connect.DialDone("x:1", time.Second, nil)
	wantValues(t, reg, ours+"_server_frontend_dial_duration_seconds", map[string]float64{"refused": 1, "ok": 1})
}

func TestAgentsAtAScrape(t *testing.T) {
	reg := prom.NewPedanticRegistry()
	m := newServer(t, reg)
	slow, draining := node("a", konnectivity.Identifiers{}), node("a", konnectivity.Identifiers{})
	slow.RTT, slow.Protocol = 3*time.Millisecond, "konnectivity"
	draining.Draining, draining.RTT = true, 0
	agents := []konnectivity.AgentInfo{slow, node("a", konnectivity.Identifiers{}), draining, node("b", konnectivity.Identifiers{})}
	if err := m.Agents(func() []konnectivity.AgentInfo { return agents }); err != nil {
		t.Fatal(err)
	}
	wantValues(t, reg, ours+"_server_tunnels", map[string]float64{"yamux": 3, "grpc": 0, "konnectivity": 1})
	wantValues(t, reg, ours+"_server_agent_rtt_seconds", map[string]float64{"a": 0.001, "b": 0.001})
	wantValues(t, reg, ours+"_server_agent_connections", map[string]float64{"a": 6, "b": 2})
	wantValues(t, reg, ours+"_server_agent_tunnels", map[string]float64{"a false": 2, "a true": 1, "b false": 1, "b true": 0})
	agents = nil
	wantValues(t, reg, ours+"_server_agent_tunnels", nil)
}
