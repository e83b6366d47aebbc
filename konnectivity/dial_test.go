package konnectivity

import (
	"strings"
	"testing"
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
	} {
		if _, err := checkDestination(tt.network, tt.address); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %s: %v, want an error with %q", tt.network, tt.address, err, tt.want)
		}
	}
}
