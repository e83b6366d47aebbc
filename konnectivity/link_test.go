package konnectivity

import "testing"

// linkCase is one way for our two ends to speak.
type linkCase struct {
	protocol string     // as both ends show it
	speaks   []Protocol // the agent; the server speaks everything
}

func linkCases() []linkCase {
	return []linkCase{
		{"yamux", []Protocol{ProtocolYamux}},
		{"grpc", []Protocol{ProtocolGRPC}},
		{"konnectivity", []Protocol{ProtocolPackets}},
	}
}

// eachLink runs test for each way to speak.
func eachLink(t *testing.T, test func(t *testing.T, link linkCase)) {
	for _, c := range linkCases() {
		t.Run(c.protocol, func(t *testing.T) { test(t, c) })
	}
}

// world is newWorld, with agents that speak so.
func (c linkCase) world(t testing.TB, tune func(*ServerConfig)) *world {
	w := newWorld(t, tune)
	w.speaks = c.speaks
	return w
}
