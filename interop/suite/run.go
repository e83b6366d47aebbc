package suite

import (
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/konnectivity"
)

// Run runs everything with the given client.
func Run(t *testing.T, c Client) {
	Clients(t, c)
	for name, test := range map[string]func(*testing.T){
		"Agents":  Agents,
		"Servers": Servers,
		"Streams": Streams,
		"CONNECT": connectCases,
	} {
		t.Run(name, test)
	}
}

// cases runs each test, after which there must be no goroutine left.
func cases(t *testing.T, tests map[string]func(*testing.T)) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			test(t)
		})
	}
}

// agents are those that a server of ours has to do with.
var agents = map[string]func(w *world, id string) (stop func()){
	"our agent by yamux": func(w *world, id string) func() {
		return w.agent(id, speaking(konnectivity.ProtocolYamux))
	},
	"our agent by gRPC": func(w *world, id string) func() {
		return w.agent(id, speaking(konnectivity.ProtocolGRPC))
	},
	"Konnectivity's agent": (*world).servingAgent,
}

func speaking(p konnectivity.Protocol) func(*konnectivity.AgentConfig) {
	return func(c *konnectivity.AgentConfig) { c.Protocols = []konnectivity.Protocol{p} }
}

// roads are the ways to a front end.
var roads = []struct {
	mode    konnectivity.Mode
	network string
}{
	{konnectivity.ModeGRPC, "unix"},
	{konnectivity.ModeGRPC, "tcp"},
	{konnectivity.ModeHTTPConnect, "unix"},
	{konnectivity.ModeHTTPConnect, "tcp"},
}
