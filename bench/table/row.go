package main

// row is a row of the table.
type row struct {
	name   string
	metric string
	// higher says that more is better.
	higher bool
	// own says that the metric is a ratio by itself, to the same run, or an
	// amount with a goal of its own, and is not divided by the yardstick's.
	own bool
	// goals are by road. A road without one has no goal.
	goals map[string]float64
}

// goals is what our own ends are to reach, by yamux and by gRPC. In
// process is held to what yamux is.
func goals(byYamux, byGRPC float64) map[string]float64 {
	return map[string]float64{yamux: byYamux, grpc: byGRPC, embeddedYamux: byYamux}
}

// with adds upstream's agent's goal.
func with(goals map[string]float64, byUpstreamAgent float64) map[string]float64 {
	goals[upstreamAgent] = byUpstreamAgent
	return goals
}

// without leaves the goal of one road out.
func without(goals map[string]float64, road string) map[string]float64 {
	delete(goals, road)
	return goals
}

// rows are those of the table, in order. The client is in the server's process
// where that is embedded, and cannot be told apart in CPU and memory.
func rows() []row {
	var all []row
	keys := []struct{ metric, name string }{
		{"up 1", "up, 1 connection"}, {"down 1", "down, 1 connection"}, {"up 8", "up, 8 connections"}, {"down 8", "down, 8 connections"},
	}
	for _, k := range keys {
		all = append(all, row{name: "throughput " + k.name, metric: k.metric, higher: true, goals: with(goals(0.90, 0.90), 1.3)})
	}
	for _, k := range keys {
		all = append(all, row{name: "CPU s/GiB " + k.name, metric: "cpu " + k.metric, own: true, goals: without(goals(2.4, 2.8), embeddedYamux)})
	}
	// The same as ratios: those amounts are of a machine on which the yardstick takes 2.0.
	for _, k := range keys {
		all = append(all, row{name: "CPU ratio " + k.name, metric: "cpu " + k.metric, goals: without(goals(1.2, 1.4), embeddedYamux)})
	}
	all = append(all,
		row{name: "echo of 1 KiB, p50", metric: "echo p50", goals: with(goals(1.15, 1.4), 1.8)},
		row{name: "echo of 1 KiB, p99", metric: "echo p99"},
		row{name: "dial + 1 byte, p50", metric: "dial p50", goals: goals(0.30, 0.42)},
		row{name: "dials per second, 32 workers", metric: "dials", higher: true, goals: goals(5.5, 4.5)},
	)
	for _, direction := range []string{"up", "down"} {
		for _, q := range []string{"p50", "p99"} {
			all = append(all, row{
				name: "echo " + q + " beside a connection stalled " + direction, metric: "stall " + direction + " " + q, own: true, goals: goals(1.2, 1.2),
			})
		}
	}
	all = append(all, row{name: "idle connections, KiB each", metric: "idle", own: true, goals: without(goals(24, 36), embeddedYamux)})
	for i, k := range keys {
		goal := 0.60
		if i >= 2 {
			goal = 0.80
		}
		all = append(all, row{name: "50 ms round trip, " + k.name, metric: "50ms " + k.metric, higher: true, goals: goals(goal, goal)})
	}
	return all
}

// base is what a road's figure in the row is divided by; empty for nothing.
func (w row) base(road string) string {
	if w.own {
		return ""
	}
	if road == upstreamAgent && w.higher && w.goals[road] > 0 {
		return upstreamPair
	}
	return yardstick
}

// met says whether a figure meets the road's goal; ok is false when it has none.
func (w row) met(road string, figure float64) (met, ok bool) {
	goal, ok := w.goals[road]
	if !ok {
		return false, false
	}
	if w.higher {
		return figure >= goal, true
	}
	return figure <= goal, true
}
