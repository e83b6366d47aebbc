// Package upstream understands the words of Konnectivity's own programs, which
// say in no other way what failed.
package upstream

import (
	"strings"

	"github.com/sallyport/sallyport/dialer"
)

// words are those of Go's net package, which upstream's agent passes on, and
// upstream's own for having no agent.
var words = [...]struct {
	in   string
	kind dialer.Kind
	hop  string
}{
	{"no tunnels available", dialer.NoRoute, dialer.HopAgent},
	{"no agent available", dialer.NoRoute, dialer.HopAgent},
	{"connection refused", dialer.Refused, dialer.HopTarget},
	{"connection reset", dialer.Reset, dialer.HopTarget},
	{"no such host", dialer.NoSuchHost, dialer.HopTarget},
	{"no route to host", dialer.Unreachable, dialer.HopTarget},
	{"network is unreachable", dialer.Unreachable, dialer.HopTarget},
	{"host is down", dialer.Unreachable, dialer.HopTarget},
	{"permission denied", dialer.Denied, dialer.HopTarget},
	{"operation not permitted", dialer.Denied, dialer.HopTarget},
	{"timeout", dialer.Timeout, dialer.HopTarget},
	{"timed out", dialer.Timeout, dialer.HopTarget},
	{"deadline exceeded", dialer.Timeout, dialer.HopTarget},
}

// Failure tells from the text of a failed dial what failed and at which hop of
// package dialer. Words it does not know are dialer.Other and no hop.
func Failure(text string) (dialer.Kind, string) {
	text = strings.ToLower(text)
	for _, w := range words {
		if strings.Contains(text, w.in) {
			return w.kind, w.hop
		}
	}
	return dialer.Other, ""
}
