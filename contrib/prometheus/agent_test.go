package prometheus

import (
	"context"
	"io"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

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
