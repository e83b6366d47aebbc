package prometheus

import (
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

// ServerMetrics observes one konnectivity.Server and the front ends before it.
type ServerMetrics struct {
	registry *registry

	dialDuration, connectionDuration, frontendWrite prom.Histogram
	grpcConnections                                 *prom.GaugeVec
	httpConnections                                 prom.Gauge
	readyBackendsDeprecated                         prom.Gauge
	backends                                        *backends
	pendingDials, established                       prom.Gauge
	dialFailures                                    *prom.CounterVec
	packets                                         packets

	refused          prom.Counter
	tunnelsEnded     *prom.CounterVec
	failures         *prom.CounterVec
	frontendDuration *prom.HistogramVec
}

// NewServerMetrics registers the metrics of a server with reg. strategies are
// those of its ServerConfig, of which each has its count of ready backends; none
// means the same as there. A name that is taken in reg is an error.
func NewServerMetrics(reg prom.Registerer, strategies ...konnectivity.Strategy) (*ServerMetrics, error) {
	if len(strategies) == 0 {
		strategies = []konnectivity.Strategy{konnectivity.StrategyDestHost, konnectivity.StrategyCIDR, konnectivity.StrategyDefaultRoute}
	}
	r := &registry{to: reg}
	m := &ServerMetrics{registry: r}
	m.registerTheirs(scope{r, theirs, server}, strategies)
	m.registerOurs(scope{r, ours, server})
	return m, r.err
}

func (m *ServerMetrics) registerTheirs(s scope, strategies []konnectivity.Strategy) {
	m.dialDuration = s.histogram("dial_duration_seconds", "Latency of dial to the remote endpoint in seconds", serverLatency())
	m.frontendWrite = s.histogram("frontend_write_duration_seconds", "Latency of write to the frontend in seconds", serverLatency())
	m.connectionDuration = s.histogram("connection_duration_seconds",
		"Duration in seconds a proxied end-to-end connection was established (post-dial) before being closed.", connectionAge())
	m.grpcConnections = s.gaugeVec("grpc_connections",
		"Number of current grpc connections, partitioned by service method.", "service_method")
	m.httpConnections = s.gauge("http_connections", "Number of current HTTP CONNECT connections")
	m.readyBackendsDeprecated = s.gauge("ready_backend_connections",
		"Number of konnectivity agent connected to the proxy server. DEPRECATED, please use ready_backends")
	m.backends = newBackends(s.gaugeVec("ready_backends",
		"Number of konnectivity agent connected to the proxy server", "proxy_strategy"), strategies)
	m.pendingDials = s.gauge("pending_backend_dials", "Current number of pending backend dial requests")
	m.established = s.gauge("established_connections", "Current number of established end-to-end connections (post-dial).")
	full := s.gaugeVec("full_receive_channels",
		"Number of current connections blocked by a full receive channel, partitioned by service method.", "service_method")
	m.dialFailures = s.counterVec("dial_failure_count",
		"Number of dial failures observed. Multiple failures can occur for a single dial request.", "reason")
	m.packets = newPackets(s)
	s.counter("culled_leases_count", "Count of expired leases that the lease garbage collection controller has culled.")
	for _, method := range []string{methodProxy, methodConnect} {
		m.grpcConnections.WithLabelValues(method)
		full.WithLabelValues(method) // there are no shared channels here, so none is ever full
	}
}

func (m *ServerMetrics) registerOurs(s scope) {
	m.refused = s.counter("agents_refused_total", "Agents that came and were not taken.")
	m.tunnelsEnded = s.counterVec("tunnels_ended_total",
		"Agents' tunnels that ended: left, where the agent had announced it, or lost.", "how")
	m.failures = s.counterVec("dial_failures_total", "Dials through an agent that failed, by the kind of failure.", "kind")
	m.frontendDuration = s.histogramVec("frontend_dial_duration_seconds",
		"Time a client of the front end waited for its connection or for a refusal, by the kind of failure, or ok.", serverLatency(), "result")
}

// The values of the label service_method.
const (
	methodProxy   = "Proxy"
	methodConnect = "Connect"
)

// Trace returns the hooks for the ServerConfig.
func (m *ServerMetrics) Trace() *konnectivity.ServerTrace {
	return &konnectivity.ServerTrace{
		AgentUp:      m.agentUp,
		AgentDown:    m.agentDown,
		AgentRefused: func(konnectivity.AgentRefusal) { m.refused.Inc() },
		DialStart: func(d konnectivity.DialInfo) {
			m.pendingDials.Inc()
		},
		DialDone: m.dialDone,
		ConnOpened: func(konnectivity.DialInfo) {
			m.established.Inc()
		},
		ConnClosed: func(_ konnectivity.DialInfo, age time.Duration) {
			m.established.Dec()
			m.connectionDuration.Observe(age.Seconds())
		},
		Packet:      m.packets.packet,
		PacketError: m.packets.packetError,
	}
}

// Agents has list asked for the agents that are connected at each scrape, for
// the metrics that are told for each of them. It is the Agents method of the
// server, which needs the Trace first.
func (m *ServerMetrics) Agents(list func() []konnectivity.AgentInfo) error {
	add(m.registry, newAgentsCollector(list))
	return m.registry.err
}

func (m *ServerMetrics) agentUp(a konnectivity.AgentInfo) {
	m.grpcConnections.WithLabelValues(methodConnect).Inc()
	m.readyBackendsDeprecated.Set(float64(m.backends.add(a)))
}

func (m *ServerMetrics) agentDown(a konnectivity.AgentInfo, err error) {
	m.grpcConnections.WithLabelValues(methodConnect).Dec()
	m.readyBackendsDeprecated.Set(float64(m.backends.remove(a)))
	m.tunnelsEnded.WithLabelValues(ended(err)).Inc()
}

func (m *ServerMetrics) dialDone(d konnectivity.DialInfo, took time.Duration, err error) {
	m.pendingDials.Dec()
	if err == nil {
		m.dialDuration.Observe(took.Seconds())
		return
	}
	m.dialFailures.WithLabelValues(serverReason(d, err)).Inc()
	m.failures.WithLabelValues(kind(err)).Inc()
}

// serverReason sorts a failure into Konnectivity's reasons.
func serverReason(d konnectivity.DialInfo, err error) string {
	switch {
	case d.AgentID == "":
		return "no_agent"
	case answered(err):
		return "error_response"
	}
	switch dialer.KindOf(err) {
	case dialer.Canceled:
		return "frontend_close"
	case dialer.Timeout:
		return "backend_dial_timeout"
	}
	return "backend_close" // the agent went, or did not take the dial
}
