package dialer_test

import (
	"context"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// routed is a Dialer that knows its class and route.
type routed struct {
	dialer.Dialer
	class, route string
}

func (r routed) Describe(_ context.Context, network, address string) dialer.Attempt {
	return dialer.Attempt{Class: r.class, Route: r.route, Network: network, Address: address}
}

func TestDescribe(t *testing.T) {
	known := routed{hanging(), "pod", "tunnel"}
	for name, tt := range map[string]struct {
		d            dialer.Dialer
		class, route string
	}{
		"bare":             {hanging(), "", ""},
		"known":            {known, "pod", "tunnel"},
		"timeout":          {dialer.WithTimeout(known, time.Second), "pod", "tunnel"},
		"traced":           {dialer.Traced("outer", hanging(), nil), "", "outer"},
		"traced and known": {dialer.Traced("outer", known, nil), "pod", "tunnel"},
	} {
		want := dialer.Attempt{Class: tt.class, Route: tt.route, Network: "tcp", Address: "a:1"}
		if got := dialer.Describe(t.Context(), tt.d, "tcp", "a:1"); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}
