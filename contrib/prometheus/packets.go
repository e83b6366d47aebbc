package prometheus

import (
	"cmp"

	prom "github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/status"
)

// packets counts the packets of Konnectivity's protocol.
type packets struct {
	total, errors *prom.CounterVec
}

func newPackets(s scope) packets {
	return packets{
		total: s.counterVec("stream_packets_total",
			"Count of packets processed, by segment and packet type (example: from_client, DIAL_REQ)",
			"segment", "packet_type"),
		errors: s.counterVec("stream_errors_total",
			"Count of gRPC stream errors, by segment, grpc Code, packet type. (example: from_agent, Code.Unavailable, DIAL_RSP)",
			"segment", "code", "packet_type"),
	}
}

func (p packets) packet(segment, packetType string) {
	p.total.WithLabelValues(segment, packetType).Inc()
}

// packetError counts a packet that could not be sent or received. One whose type
// is not known has the type Unknown.
func (p packets) packetError(segment, packetType string, err error) {
	p.errors.WithLabelValues(segment, status.Code(err).String(), cmp.Or(packetType, "Unknown")).Inc()
}
