package prometheus

import (
	"errors"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

// AgentMetrics observes one konnectivity.Agent.
type AgentMetrics struct {
	registry *registry

	dialDuration                   prom.Histogram
	serverFailures                 *prom.CounterVec
	dialFailures                   *prom.CounterVec
	serverConnections, serverCount prom.Gauge
	endpointConnections            prom.Gauge
	packets                        packets

	connectFailures    *prom.CounterVec
	tunnelsEnded       *prom.CounterVec
	failures           *prom.CounterVec
	connectionDuration prom.Histogram
}

// NewAgentMetrics registers the metrics of an agent with reg. A name that is
// taken there is an error.
func NewAgentMetrics(reg prom.Registerer) (*AgentMetrics, error) {
	r := &registry{to: reg}
	m := &AgentMetrics{registry: r}
	m.registerTheirs(scope{r, theirs, agent})
	m.registerOurs(scope{r, ours, agent})
	return m, r.err
}

func (m *AgentMetrics) registerTheirs(s scope) {
	m.dialDuration = s.histogram("dial_duration_seconds", "Latency of dial to the remote endpoint in seconds", agentLatency())
	m.serverFailures = s.counterVec("server_connection_failure_count",
		"Count of failures to send to or receive from the proxy server, labeled by the direction (from_server or to_server). DEPRECATED, please use stream_events_error_total", "direction")
	m.dialFailures = s.counterVec("endpoint_dial_failure_total",
		"Number of failures dialing the remote endpoint, by reason (example: timeout).", "reason")
	m.serverConnections = s.gauge("open_server_connections", "Current number of open server connections.")
	m.serverCount = s.gauge("known_server_count", "Current number of servers agent is trying to connect to.")
	m.endpointConnections = s.gauge("open_endpoint_connections", "Current number of open endpoint connections.")
	m.packets = newPackets(s)
	m.serverCount.Set(1) // until a server says how many there are
}

func (m *AgentMetrics) registerOurs(s scope) {
	m.connectFailures = s.counterVec("connect_failures_total",
		"Attempts to connect that did not come to a tunnel: duplicate, where the server was connected already, or failed.", "reason")
	m.tunnelsEnded = s.counterVec("tunnels_ended_total",
		"Tunnels that ended: left, where the server had announced it, or lost.", "how")
	m.failures = s.counterVec("dial_failures_total", "Connects to targets that failed, by the kind of failure.", "kind")
	m.connectionDuration = s.histogram("connection_duration_seconds", "How long connections to targets lived.", connectionAge())
}

// Trace returns the hooks for the AgentConfig.
func (m *AgentMetrics) Trace() *konnectivity.AgentTrace {
	return &konnectivity.AgentTrace{
		TunnelUp:      func(string, string) { m.serverConnections.Inc() },
		TunnelDown:    m.tunnelDown,
		ConnectFailed: m.connectFailed,
		ServerCount:   func(n int) { m.serverCount.Set(float64(n)) },
		DialDone:      m.dialDone,
		ConnOpened:    func(string) { m.endpointConnections.Inc() },
		ConnClosed: func(_ string, age time.Duration) {
			m.endpointConnections.Dec()
			m.connectionDuration.Observe(age.Seconds())
		},
		Packet:      m.packets.packet,
		PacketError: m.packets.packetError,
	}
}

// Tunnels has list asked for the tunnels at each scrape, for the metrics that are
// told for each of them. It is the Tunnels method of the agent, which needs the
// Trace first.
func (m *AgentMetrics) Tunnels(list func() []konnectivity.TunnelInfo) error {
	add(m.registry, newTunnelsCollector(list))
	return m.registry.err
}

func (m *AgentMetrics) tunnelDown(_ string, err error) {
	m.serverConnections.Dec()
	how := ended(err)
	m.tunnelsEnded.WithLabelValues(how).Inc()
	if how == "lost" {
		m.serverFailures.WithLabelValues("from_server").Inc()
	}
}

func (m *AgentMetrics) connectFailed(_ string, err error) {
	reason := "failed"
	if errors.Is(err, konnectivity.ErrDuplicateServer) {
		reason = "duplicate"
	}
	m.connectFailures.WithLabelValues(reason).Inc()
}

func (m *AgentMetrics) dialDone(_, _ string, took time.Duration, err error) {
	if err == nil {
		m.dialDuration.Observe(took.Seconds())
		return
	}
	reason := "unknown"
	if dialer.KindOf(err) == dialer.Timeout {
		reason = "timeout"
	}
	m.dialFailures.WithLabelValues(reason).Inc()
	m.failures.WithLabelValues(kind(err)).Inc()
}
