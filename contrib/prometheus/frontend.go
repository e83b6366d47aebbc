package prometheus

import (
	"time"

	"github.com/sallyport/sallyport/konnectivity"
)

// FrontendTrace returns the hooks for the FrontendConfig of a front end of the
// given mode. Several front ends may share them.
func (m *ServerMetrics) FrontendTrace(mode konnectivity.Mode) *konnectivity.FrontendTrace {
	clients := m.grpcConnections.WithLabelValues(methodProxy)
	if mode == konnectivity.ModeHTTPConnect {
		clients = m.httpConnections
	}
	return &konnectivity.FrontendTrace{
		ClientUp:   clients.Inc,
		ClientDown: clients.Dec,
		DialDone: func(_ string, took time.Duration, err error) {
			result := "ok"
			if err != nil {
				result = kind(err)
			}
			m.frontendDuration.WithLabelValues(result).Observe(took.Seconds())
		},
		Packet:      m.packets.packet,
		PacketError: m.packets.packetError,
		WriteDone:   func(took time.Duration) { m.frontendWrite.Observe(took.Seconds()) },
	}
}
