package prometheus

import (
	"sync"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/konnectivity"
)

// backends counts what each strategy can pick from. As in Konnectivity, that is
// the number of different things it finds agents by: ids, or what they claim.
type backends struct {
	gauge      *prom.GaugeVec
	strategies []konnectivity.Strategy

	mu    sync.Mutex
	ids   map[string]int                           // tunnels of each agent
	found map[konnectivity.Strategy]map[string]int // tunnels for each key
}

func newBackends(gauge *prom.GaugeVec, strategies []konnectivity.Strategy) *backends {
	b := &backends{gauge: gauge, strategies: strategies, ids: make(map[string]int), found: make(map[konnectivity.Strategy]map[string]int)}
	for _, s := range strategies {
		b.found[s] = make(map[string]int)
		gauge.WithLabelValues(string(s)) // 0 from the start
	}
	return b
}

// add counts a tunnel and returns the number of different agents.
func (b *backends) add(a konnectivity.AgentInfo) int { return b.change(a, 1) }

// remove takes back what add did for the same agent.
func (b *backends) remove(a konnectivity.AgentInfo) int { return b.change(a, -1) }

func (b *backends) change(a konnectivity.AgentInfo, by int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b.ids, a.ID, by)
	for _, s := range b.strategies {
		for _, key := range keys(s, a) {
			change(b.found[s], key, by)
		}
		b.gauge.WithLabelValues(string(s)).Set(float64(len(b.found[s])))
	}
	return len(b.ids)
}

func change(counts map[string]int, key string, by int) {
	if counts[key] += by; counts[key] <= 0 {
		delete(counts, key)
	}
}

// keys returns what strategy s finds a by.
func keys(s konnectivity.Strategy, a konnectivity.AgentInfo) (keys []string) {
	switch s {
	case konnectivity.StrategyDestHost:
		keys = append(keys, a.Identifiers.Hosts...)
		for _, addr := range a.Identifiers.Addrs {
			keys = append(keys, addr.String())
		}
	case konnectivity.StrategyCIDR:
		for _, p := range a.Identifiers.CIDRs {
			keys = append(keys, p.String())
		}
	case konnectivity.StrategyDefaultRoute:
		if a.Identifiers.DefaultRoute {
			keys = append(keys, a.ID)
		}
	case konnectivity.StrategyDefault:
		keys = append(keys, a.ID)
	}
	return keys
}
