// Package prometheus counts what the servers, front ends, agents and clients of
// package konnectivity do, for Prometheus.
//
// Each constructor registers its collectors with a Registerer of the caller and
// starts nothing. What it returns has a Trace method, whose result goes into the
// configuration of the thing to be observed:
//
//	m, err := prometheus.NewAgentMetrics(registry)
//	...
//	agent, err := konnectivity.NewAgent(konnectivity.AgentConfig{Trace: m.Trace(), ...})
//
// Metrics whose names begin with konnectivity_network_proxy_ are those of
// Konnectivity's own programs, with their help texts, types, labels and buckets,
// so that dashboards and alerts go on working. Not among them are those of leases,
// but for the count of culled ones, which is always 0. Of a client's
// client_connections there are the statuses dialing and ok: ours has no others.
// Those that begin with sallyport_ are ours.
//
// Gauges and histograms are there from the start. A counter with a reason, a kind
// or a type of packet is there once that has occurred.
package prometheus
