package prometheus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	prom "github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

// The files in testdata were taken from what Konnectivity's programs serve.
func TestNamesAreKonnectivitys(t *testing.T) {
	for name, exercise := range map[string]func(*testing.T, prom.Registerer){
		"server": exerciseServer, "agent": exerciseAgent, "client": exerciseClient,
	} {
		t.Run(name, func(t *testing.T) {
			reg := prom.NewPedanticRegistry()
			exercise(t, reg)
			file, err := os.ReadFile("testdata/" + name + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, f := range gather(t, reg) {
				if strings.HasPrefix(f.GetName(), theirs) {
					got.WriteString(describe(f))
				}
			}
			if diff := cmp.Diff(string(file), got.String()); diff != "" {
				t.Errorf("metrics (- Konnectivity's, + ours):\n%s", diff)
			}
		})
	}
}

// describe is one line of a file in testdata.
func describe(f *dto.MetricFamily) string {
	m := f.GetMetric()[0]
	var labels, buckets []string
	for _, l := range m.GetLabel() {
		labels = append(labels, l.GetName())
	}
	for _, b := range m.GetHistogram().GetBucket() {
		buckets = append(buckets, fmt.Sprint(b.GetUpperBound()))
	}
	return fmt.Sprintf("%s %s {%s} [%s] %s\n", f.GetName(), strings.ToLower(f.GetType().String()),
		strings.Join(labels, ","), strings.Join(buckets, ","), f.GetHelp())
}

func gather(t *testing.T, reg prom.Gatherer) []*dto.MetricFamily {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// values returns the values of the series of family name by the values of their
// labels, and nil where there is no such family.
func values(t *testing.T, reg prom.Gatherer, name string) map[string]float64 {
	t.Helper()
	for _, f := range gather(t, reg) {
		if f.GetName() != name {
			continue
		}
		all := map[string]float64{}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetValue())
			}
			all[strings.Join(labels, " ")] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
		return all
	}
	return nil
}

func wantValues(t *testing.T, reg prom.Gatherer, name string, want map[string]float64) {
	t.Helper()
	if diff := cmp.Diff(want, values(t, reg, name)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func node(id string, claims konnectivity.Identifiers) konnectivity.AgentInfo {
	return konnectivity.AgentInfo{ID: id, Identifiers: claims, Protocol: "yamux", RTT: time.Millisecond, Conns: 2}
}

func newServer(t *testing.T, reg prom.Registerer, s ...konnectivity.Strategy) *ServerMetrics {
	t.Helper()
	m, err := NewServerMetrics(reg, s...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// exerciseServer has everything happen once.
func exerciseServer(t *testing.T, reg prom.Registerer) {
	m := newServer(t, reg)
	tr, front := m.Trace(), m.FrontendTrace(konnectivity.ModeGRPC)
	d := konnectivity.DialInfo{AgentID: "a", Network: "tcp", Address: "x:1"}
	tr.AgentUp(node("a", konnectivity.Identifiers{}))
	tr.AgentRefused(konnectivity.AgentRefusal{})
	tr.DialStart(d)
	tr.DialDone(d, time.Second, io.EOF)
	tr.ConnOpened(d)
	tr.ConnClosed(d, time.Second)
	tr.Packet("from_agent", "DATA")
	tr.PacketError("from_agent", "", io.EOF)
	front.ClientUp()
	front.WriteDone(time.Second)
	front.DialDone("x:1", time.Second, nil)
}

func exerciseAgent(t *testing.T, reg prom.Registerer) {
	m, err := NewAgentMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	tr := m.Trace()
	tr.TunnelUp("x:1", "s")
	tr.TunnelDown("x:1", io.EOF)
	tr.ConnectFailed("x:1", io.EOF)
	tr.DialDone("tcp", "x:1", time.Second, io.EOF)
	tr.Packet("to_agent", "DATA")
	tr.PacketError("to_agent", "DATA", io.EOF)
}

func exerciseClient(t *testing.T, reg prom.Registerer) {
	m, err := NewClientMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	tr := m.Trace()
	tr.DialDone("x:1", time.Second, io.EOF)
	tr.Packet("from_client", "DIAL_REQ")
	tr.PacketError("to_client", "DATA", io.EOF)
}

// Dashboards read what is there from the start as 0, and a reason that is there
// as one that has occurred.
func TestWhatIsThereFromTheStart(t *testing.T) {
	reg := prom.NewRegistry()
	newServer(t, reg, konnectivity.StrategyDestHost, konnectivity.StrategyDefault)
	if _, err := NewAgentMetrics(reg); err != nil {
		t.Fatal(err)
	}
	const s, a = theirs + "_server_", theirs + "_agent_"
	wantValues(t, reg, s+"ready_backends", map[string]float64{"destHost": 0, "default": 0})
	for _, name := range []string{
		s + "ready_backend_connections", s + "http_connections", s + "pending_backend_dials", s + "established_connections",
		a + "open_server_connections", a + "open_endpoint_connections",
	} {
		wantValues(t, reg, name, map[string]float64{"": 0})
	}
	wantValues(t, reg, a+"known_server_count", map[string]float64{"": 1})
	wantValues(t, reg, s+"grpc_connections", map[string]float64{"Proxy": 0, "Connect": 0})
	for _, name := range []string{
		s + "dial_failure_count", s + "stream_packets_total", s + "stream_errors_total",
		a + "endpoint_dial_failure_total", a + "server_connection_failure_count", ours + "_server_dial_failures_total",
	} {
		wantValues(t, reg, name, nil)
	}
}

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

func TestPackets(t *testing.T) {
	reg := prom.NewRegistry()
	m := newServer(t, reg)
	m.Trace().Packet("to_agent", "DIAL_REQ")
	m.FrontendTrace(konnectivity.ModeGRPC).Packet("from_client", "DIAL_REQ")
	m.Trace().PacketError("from_agent", "", fmt.Errorf("recv: %w", status.Error(codes.Unavailable, "gone")))
	m.FrontendTrace(konnectivity.ModeGRPC).PacketError("to_client", "DIAL_RSP", errors.New("other"))
	wantValues(t, reg, theirs+"_server_stream_packets_total", map[string]float64{"DIAL_REQ to_agent": 1, "DIAL_REQ from_client": 1})
	wantValues(t, reg, theirs+"_server_stream_errors_total",
		map[string]float64{"Unavailable Unknown from_agent": 1, "Unknown DIAL_RSP to_client": 1})
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

func TestAgentMetrics(t *testing.T) {
	reg := prom.NewRegistry()
	m, err := NewAgentMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	tr := m.Trace()
	tr.TunnelUp("x:1", "s")
	tr.TunnelUp("x:1", "t")
	tr.TunnelDown("x:1", konnectivity.ErrLeft)
	wantValues(t, reg, theirs+"_agent_open_server_connections", map[string]float64{"": 1})
	wantValues(t, reg, theirs+"_agent_server_connection_failure_count", nil)
	tr.TunnelDown("x:1", io.EOF)
	wantValues(t, reg, theirs+"_agent_server_connection_failure_count", map[string]float64{"from_server": 1})
	tr.ServerCount(3)
	wantValues(t, reg, theirs+"_agent_known_server_count", map[string]float64{"": 3})
	tr.DialDone("tcp", "x:1", time.Second, dialer.ErrRefused)
	tr.DialDone("tcp", "x:1", time.Second, context.DeadlineExceeded)
	wantValues(t, reg, theirs+"_agent_endpoint_dial_failure_total", map[string]float64{"unknown": 1, "timeout": 1})
	tr.DialDone("tcp", "x:1", time.Second, nil)
	wantValues(t, reg, theirs+"_agent_dial_duration_seconds", map[string]float64{"": 1})
	tr.ConnOpened("x:1")
	wantValues(t, reg, theirs+"_agent_open_endpoint_connections", map[string]float64{"": 1})
	tr.ConnClosed("x:1", time.Second)
	wantValues(t, reg, theirs+"_agent_open_endpoint_connections", map[string]float64{"": 0})
	tr.ConnectFailed("x:1", konnectivity.ErrDuplicateServer)
	tr.ConnectFailed("x:1", io.EOF)
	wantValues(t, reg, ours+"_agent_connect_failures_total", map[string]float64{"duplicate": 1, "failed": 1})
}

func TestTunnelsAtAScrape(t *testing.T) {
	reg := prom.NewPedanticRegistry()
	m, err := NewAgentMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	up := konnectivity.TunnelInfo{Server: "x:1", ServerID: "s", Connected: true, Protocol: "grpc", RTT: time.Millisecond}
	down := konnectivity.TunnelInfo{Server: "y:1", ServerID: "t", Protocol: "grpc"}
	if err := m.Tunnels(func() []konnectivity.TunnelInfo { return []konnectivity.TunnelInfo{up, up, down} }); err != nil {
		t.Fatal(err)
	}
	wantValues(t, reg, ours+"_agent_tunnels", map[string]float64{"yamux": 0, "grpc": 1, "konnectivity": 0})
	wantValues(t, reg, ours+"_agent_server_connected", map[string]float64{"x:1 s": 1})
	wantValues(t, reg, ours+"_agent_server_rtt_seconds", map[string]float64{"x:1 s": 0.001})
}

func TestClientReasons(t *testing.T) {
	for want, err := range map[string]error{
		"endpoint":     &dialer.Error{Hop: dialer.HopTarget, Err: dialer.ErrTimeout},
		"context":      &dialer.Error{Hop: dialer.HopProxy, Err: context.Canceled},
		"timeout":      &dialer.Error{Hop: dialer.HopProxy, Err: context.DeadlineExceeded},
		"tunnelclosed": &dialer.Error{Hop: dialer.HopProxy, Err: dialer.ErrReset},
		"unknown":      io.EOF,
	} {
		reg := prom.NewRegistry()
		m, e := NewClientMetrics(reg)
		if e != nil {
			t.Fatal(e)
		}
		m.Trace().DialDone("x:1", time.Second, err)
		m.Trace().DialDone("x:1", time.Second, nil)
		wantValues(t, reg, theirs+"_client_dial_failure_total", map[string]float64{want: 1})
	}
}

func TestTakenNamesAreAnError(t *testing.T) {
	reg := prom.NewRegistry()
	newServer(t, reg)
	if _, err := NewServerMetrics(reg); err == nil || !strings.HasPrefix(err.Error(), "prometheus: ") {
		t.Errorf("second server in one registry: %v, want an error", err)
	}
	if _, err := NewClientMetrics(reg); err != nil {
		t.Errorf("client beside a server: %v", err)
	}
}
