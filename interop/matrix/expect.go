package main

import "github.com/sallyport/sallyport/konnectivity"

// good reports whether a mix did what it should. What upstream's own parts are
// known to lose is theirs; everything else has to work.
func good(m mix, results []result) bool {
	for i, r := range results {
		if !r.ok && !excused(m, checks[i].name) {
			return false
		}
	}
	return true
}

// excused reports whether a part of upstream's that takes part in the mix is
// known to fail the check.
func excused(m mix, check string) bool {
	connect := m.front.mode == konnectivity.ModeHTTPConnect
	switch check {
	case "write, close":
		// Upstream's agent closes the target before it has written all of it. A server
		// of ours, or a GRPC client of ours, gives it the time.
		return m.agent == upstream && m.server == upstream && (connect || m.client == upstream)
	case "speaks first":
		// Upstream's server lets the target's bytes overtake the 200 of a CONNECT. Its
		// GRPC client loses what comes right behind the answer to the dial, for which a
		// server of ours leaves it a moment.
		return m.server == upstream && (connect || m.client == upstream)
	case "8 MiB Write":
		// Upstream's GRPC client sends one packet for each Write, beyond what gRPC takes.
		return m.client == upstream && !connect
	case "half-close":
		// There is no half-close in upstream's wire, so each part has to be ours; its
		// GRPC client has no CloseWrite.
		return m.server == upstream || m.agent == upstream || m.client == upstream && !connect
	case "stalled neighbour":
		// Upstream's server has no bound on a client that does not read, and its agent
		// none on a target.
		return m.server == upstream
	}
	return false
}
