package prometheus

import (
	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/konnectivity"
)

// tunnelsCollector tells about an agent's tunnels at a scrape.
type tunnelsCollector struct {
	list             func() []konnectivity.TunnelInfo
	up, rtt, tunnels *prom.Desc
}

func newTunnelsCollector(list func() []konnectivity.TunnelInfo) *tunnelsCollector {
	desc := func(name, help string, labels ...string) *prom.Desc {
		return prom.NewDesc(prom.BuildFQName(ours, agent, name), help, labels, nil)
	}
	return &tunnelsCollector{
		list: list,
		tunnels: desc("tunnels", "Tunnels that are up, by protocol: yamux, grpc with windows for each connection, "+
			"or konnectivity without, as upstream has it.", "protocol"),
		up:  desc("server_connected", "1 for each server id that is connected.", "server", "server_id"),
		rtt: desc("server_rtt_seconds", "Last round trip to the server.", "server", "server_id"),
	}
}

// Describe implements prom.Collector.
func (c *tunnelsCollector) Describe(ch chan<- *prom.Desc) {
	for _, d := range []*prom.Desc{c.tunnels, c.up, c.rtt} {
		ch <- d
	}
}

// Collect implements prom.Collector.
func (c *tunnelsCollector) Collect(ch chan<- prom.Metric) {
	send := func(d *prom.Desc, v float64, labels ...string) {
		ch <- prom.MustNewConstMetric(d, prom.GaugeValue, v, labels...)
	}
	protocols, seen := map[string]int{"yamux": 0, "grpc": 0, "konnectivity": 0}, map[[2]string]bool{}
	for _, t := range c.list() {
		key := [2]string{t.Server, t.ServerID}
		if !t.Connected || seen[key] {
			continue // a series may be told once
		}
		seen[key] = true
		protocols[string(t.Protocol)]++
		send(c.up, 1, t.Server, t.ServerID)
		if t.RTT > 0 {
			send(c.rtt, t.RTT.Seconds(), t.Server, t.ServerID)
		}
	}
	for p, n := range protocols {
		send(c.tunnels, float64(n), p)
	}
}
