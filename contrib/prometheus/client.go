package prometheus

import (
	"time"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

// ClientMetrics observes konnectivity.Clients. Several may share one.
//
// A kube-apiserver registers metrics of these names, too: in its process, give
// NewClientMetrics a registry of its own, or one that adds a prefix.
type ClientMetrics struct {
	dialFailures  *prom.CounterVec
	packets       packets
	dialDuration  *prom.HistogramVec
	dialing, open prom.Gauge
}

// NewClientMetrics registers the metrics of a client with reg. A name that is
// taken there is an error.
func NewClientMetrics(reg prom.Registerer) (*ClientMetrics, error) {
	r := &registry{to: reg}
	t := scope{r, theirs, client}
	m := &ClientMetrics{
		packets: newPackets(t),
		dialFailures: t.counterVec("dial_failure_total",
			"Number of dial failures observed, by reason (example: remote endpoint error)", "reason"),
		dialDuration: scope{r, ours, client}.histogramVec("dial_duration_seconds",
			"Time a dial took, by the kind of failure, or ok.", serverLatency(), "result"),
	}
	connections := t.gaugeVec("client_connections", "Number of open client connections, by status (Example: dialing)", "status")
	m.dialing, m.open = connections.WithLabelValues("dialing"), connections.WithLabelValues("ok")
	return m, r.err
}

// Trace returns the hooks for the ClientConfig.
func (m *ClientMetrics) Trace() *konnectivity.ClientTrace {
	return &konnectivity.ClientTrace{
		DialStart:   func(string) { m.dialing.Inc() },
		DialDone:    m.dialDone,
		ConnOpened:  func(string) { m.open.Inc() },
		ConnClosed:  func(string, time.Duration) { m.open.Dec() },
		Packet:      m.packets.packet,
		PacketError: m.packets.packetError,
	}
}

func (m *ClientMetrics) dialDone(_ string, took time.Duration, err error) {
	m.dialing.Dec()
	if err == nil {
		m.dialDuration.WithLabelValues("ok").Observe(took.Seconds())
		return
	}
	m.dialFailures.WithLabelValues(clientReason(err)).Inc()
	m.dialDuration.WithLabelValues(kind(err)).Observe(took.Seconds())
}

// clientReason sorts a failure into the reasons of Konnectivity's client.
func clientReason(err error) string {
	if answered(err) {
		return "endpoint"
	}
	switch dialer.KindOf(err) {
	case dialer.Canceled:
		return "context"
	case dialer.Timeout:
		return "timeout"
	case dialer.Reset:
		return "tunnelclosed"
	case dialer.NoRoute:
		return "endpoint" // the server has no agent, which is its answer
	}
	return "unknown"
}
