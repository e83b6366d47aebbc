package konnectivity

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/wire"
)

// What is wrong with an address has to be told so that it can be mended, both
// in a dial and in the list of an agent's servers.
func TestCheckDestinationText(t *testing.T) {
	for _, tt := range []struct{ network, address, want string }{
		{"tcp", "https://server.example:8091", "want host:port, not a URL"},
		{"tcp", "server.example", "missing port"},
		{"tcp", ":8091", "has no host"},
		{"tcp", "server.example:https", "not a number from 1 to 65535"},
		{"tcp", "a b:1", "not a host name or an address"},
		{"udp", "server.example:8091", "want tcp, tcp4 or tcp6"},
		{strings.Repeat("é", 1<<20), "server.example:8091", "want tcp, tcp4 or tcp6"},
		{"tcp", strings.Repeat("a", 1<<20) + ":8091", "want at most 300"},
		{"tcp", "server.example:" + strings.Repeat("9", 1<<20), "want at most 300"},
	} {
		_, err := checkDestination(tt.network, tt.address)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.40s %.40s: %.80v, want an error with %q", tt.network, tt.address, err, tt.want)
		}
		if err != nil && len(err.Error()) > 2<<10 {
			t.Errorf("%.40s %.40s: an error of %d bytes", tt.network, tt.address, len(err.Error()))
		}
	}
	longest := strings.Repeat("a.", 126) + "a:65535"
	if _, err := checkDestination("tcp", longest); err != nil {
		t.Errorf("the longest name there is: %v", err)
	}
}

// An agent ends a tunnel on which it gets a packet that is too large. A name
// must not make one, for the tunnel is everybody's.
func TestOverlongNameEndsNothing(t *testing.T) { eachLink(t, testOverlongNameEndsNothing) }

func testOverlongNameEndsNothing(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	w.run(w.agentConfig("edge", everywhere))
	neighbour := dial(t, w.srv, echo(t))
	talk(t, neighbour, "before")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for _, address := range []string{strings.Repeat("a", wire.MaxMessage) + ":80", strings.Repeat("a", 100<<10) + ":80"} {
		_, err := w.srv.DialContext(ctx, "tcp", address)
		if err == nil || len(err.Error()) > 2<<10 {
			t.Errorf("the dial of a name of %d bytes: %.80v", len(address), err)
		}
	}
	talk(t, neighbour, "after")
}
