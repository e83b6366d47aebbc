package prometheus

import (
	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/konnectivity"
)

// agentsCollector tells about the agents that are connected at a scrape. Series
// of agents that are gone are gone with them, so their number is bounded by that
// of the tunnels a server takes.
type agentsCollector struct {
	list                    func() []konnectivity.AgentInfo
	tunnels, rtt, conns, up *prom.Desc
}

func newAgentsCollector(list func() []konnectivity.AgentInfo) *agentsCollector {
	desc := func(name, help string, labels ...string) *prom.Desc {
		return prom.NewDesc(prom.BuildFQName(ours, server, name), help, labels, nil)
	}
	return &agentsCollector{
		list: list,
		tunnels: desc("tunnels", "Agents' tunnels by protocol: yamux, grpc with windows for each connection, "+
			"or konnectivity without, as upstream has it.", "protocol"),
		rtt:   desc("agent_rtt_seconds", "Last round trip to the agent; of several tunnels, the shortest.", "agent"),
		conns: desc("agent_connections", "Connections open or being opened through the agent.", "agent"),
		up:    desc("agent_tunnels", "Tunnels of the agent, draining or not.", "agent", "draining"),
	}
}

// Describe implements prom.Collector.
func (c *agentsCollector) Describe(ch chan<- *prom.Desc) {
	for _, d := range []*prom.Desc{c.tunnels, c.rtt, c.conns, c.up} {
		ch <- d
	}
}

// agentSum is what the tunnels of one agent come to.
type agentSum struct {
	rtt            float64 // 0: not known
	conns          int
	open, draining int
}

// Collect implements prom.Collector.
func (c *agentsCollector) Collect(ch chan<- prom.Metric) {
	protocols, sums := map[string]int{"yamux": 0, "grpc": 0, "konnectivity": 0}, map[string]*agentSum{}
	for _, a := range c.list() {
		protocols[string(a.Protocol)]++
		s := sums[a.ID]
		if s == nil {
			s = new(agentSum)
			sums[a.ID] = s
		}
		s.count(a)
	}
	send := func(d *prom.Desc, v float64, labels ...string) {
		ch <- prom.MustNewConstMetric(d, prom.GaugeValue, v, labels...)
	}
	for p, n := range protocols {
		send(c.tunnels, float64(n), p)
	}
	for id, s := range sums {
		if s.rtt > 0 {
			send(c.rtt, s.rtt, id)
		}
		send(c.conns, float64(s.conns), id)
		send(c.up, float64(s.open), id, "false")
		send(c.up, float64(s.draining), id, "true")
	}
}

func (s *agentSum) count(a konnectivity.AgentInfo) {
	if rtt := a.RTT.Seconds(); rtt > 0 && (s.rtt == 0 || rtt < s.rtt) {
		s.rtt = rtt
	}
	s.conns += a.Conns
	if a.Draining {
		s.draining++
	} else {
		s.open++
	}
}
