package prometheus

import (
	"fmt"

	prom "github.com/prometheus/client_golang/prometheus"
)

// The names of Konnectivity's metrics begin with theirs, those of ours with ours.
const (
	theirs = "konnectivity_network_proxy"
	ours   = "sallyport"
)

// The subsystems.
const (
	server = "server"
	agent  = "agent"
	client = "client"
)

// registry registers collectors and keeps the first error.
type registry struct {
	to  prom.Registerer
	err error
}

// add registers c and returns it.
func add[C prom.Collector](r *registry, c C) C {
	if err := r.to.Register(c); err != nil && r.err == nil {
		r.err = fmt.Errorf("prometheus: %w", err)
	}
	return c
}

// scope makes metrics of one subsystem.
type scope struct {
	*registry
	namespace, subsystem string
}

func (s scope) gauge(name, help string) prom.Gauge {
	return add(s.registry, prom.NewGauge(prom.GaugeOpts(s.opts(name, help))))
}

func (s scope) gaugeVec(name, help string, labels ...string) *prom.GaugeVec {
	return add(s.registry, prom.NewGaugeVec(prom.GaugeOpts(s.opts(name, help)), labels))
}

func (s scope) counter(name, help string) prom.Counter {
	return add(s.registry, prom.NewCounter(prom.CounterOpts(s.opts(name, help))))
}

func (s scope) counterVec(name, help string, labels ...string) *prom.CounterVec {
	return add(s.registry, prom.NewCounterVec(prom.CounterOpts(s.opts(name, help)), labels))
}

func (s scope) histogram(name, help string, buckets []float64) prom.Histogram {
	return add(s.registry, prom.NewHistogram(s.histogramOpts(name, help, buckets)))
}

func (s scope) histogramVec(name, help string, buckets []float64, labels ...string) *prom.HistogramVec {
	return add(s.registry, prom.NewHistogramVec(s.histogramOpts(name, help, buckets), labels))
}

func (s scope) opts(name, help string) prom.Opts {
	return prom.Opts{Namespace: s.namespace, Subsystem: s.subsystem, Name: name, Help: help}
}

func (s scope) histogramOpts(name, help string, buckets []float64) prom.HistogramOpts {
	return prom.HistogramOpts{Namespace: s.namespace, Subsystem: s.subsystem, Name: name, Help: help, Buckets: buckets}
}

// Buckets in seconds, as Konnectivity's server has them.
func serverLatency() []float64 {
	return []float64{0.000001, 0.00001, 0.0001, 0.005, 0.025, 0.1, 0.5, 2.5, 12.5}
}

// agentLatency is serverLatency for its agent.
func agentLatency() []float64 { return []float64{0.005, 0.025, 0.1, 0.5, 2.5, 10, 30} }

// connectionAge has the buckets, in seconds, of how long connections lived.
func connectionAge() []float64 {
	return []float64{1, 5, 15, 30, 60, 300, 900, 1800, 3600, 14400, 43200, 86400}
}
