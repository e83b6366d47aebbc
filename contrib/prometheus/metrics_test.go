package prometheus

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	prom "github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

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
	tr.DialStart("x:1")
	tr.DialDone("x:1", time.Second, io.EOF)
	tr.ConnOpened("x:1")
	tr.ConnClosed("x:1", time.Second)
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
