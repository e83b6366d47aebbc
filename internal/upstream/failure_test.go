package upstream

import (
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

func TestFailure(t *testing.T) {
	for _, tt := range []struct {
		text string
		kind dialer.Kind
		hop  string
	}{
		{"dial tcp 127.0.0.1:1: connect: connection refused", dialer.Refused, dialer.HopTarget},
		{"dial tcp: lookup x.example on 10.0.0.10:53: no such host", dialer.NoSuchHost, dialer.HopTarget},
		{"dial tcp 10.0.0.1:1: i/o timeout", dialer.Timeout, dialer.HopTarget},
		{"dial tcp 10.0.0.1:1: connect: no route to host", dialer.Unreachable, dialer.HopTarget},
		{"dial tcp [::1]:1: connect: network is unreachable", dialer.Unreachable, dialer.HopTarget},
		{"read tcp 10.0.0.1:1: connection reset by peer", dialer.Reset, dialer.HopTarget},
		{"dial tcp 10.0.0.1:1: connect: host is down", dialer.Unreachable, dialer.HopTarget},
		{"dial tcp 10.0.0.1:1: connect: permission denied", dialer.Denied, dialer.HopTarget},
		{"dial tcp 10.0.0.1:1: connect: connection timed out", dialer.Timeout, dialer.HopTarget},
		{"context deadline exceeded", dialer.Timeout, dialer.HopTarget},
		{"No agent available", dialer.NoRoute, dialer.HopAgent},
		{"currently no tunnels available: No agent available", dialer.NoRoute, dialer.HopAgent},
		{"unknown network sctp", dialer.Other, ""},
		{"", dialer.Other, ""},
	} {
		if kind, hop := Failure(tt.text); kind != tt.kind || hop != tt.hop {
			t.Errorf("%q: %v at %q; want %v at %q", tt.text, kind, hop, tt.kind, tt.hop)
		}
	}
}
