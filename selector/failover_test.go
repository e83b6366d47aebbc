package selector_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/selector"
)

func at(hop string, err error) error { return &dialer.Error{Hop: hop, Err: err} }

func TestFailoverRetriesOnlyRoutes(t *testing.T) {
	tests := []struct {
		name  string
		err   error
		retry bool
	}{
		{"refused by target", at(dialer.HopTarget, syscall.ECONNREFUSED), false},
		{"reset by target", at(dialer.HopTarget, syscall.ECONNRESET), false},
		{"refused behind the tunnel", at(dialer.HopTarget, &dialer.RemoteError{Kind: dialer.Refused}), false},
		{"denied by policy", at(dialer.HopPolicy, dialer.ErrDenied), false},
		{"denied by agent", at("agent edge-1", &dialer.RemoteError{Kind: dialer.Denied}), false},
		{"no such host", at(dialer.HopResolve, dialer.ErrNoSuchHost), false},
		{"target's TLS", at(dialer.HopTLS, errors.New("bad certificate")), false},
		{"refused, by a plain dialer", syscall.ECONNREFUSED, false},
		{"canceled", at(dialer.HopAgent, context.Canceled), false},

		{"agent timeout", at("agent edge-1", dialer.ErrTimeout), true},
		{"agent gone", at(dialer.HopAgent, dialer.ErrReset), true},
		{"proxy refused", at(dialer.HopProxy, syscall.ECONNREFUSED), true},
		{"bastion refused", at("ssh bastion", syscall.ECONNREFUSED), true},
		{"target unreachable", at(dialer.HopTarget, syscall.EHOSTUNREACH), true},
		{"target timeout", at(dialer.HopTarget, dialer.ErrTimeout), true},
		{"no agent", at(dialer.HopAgent, dialer.ErrNoRoute), true},
		{"unknown", errors.New("broken"), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first, second := &fake{err: tt.err}, &fake{}
			var rec recorder
			d := mustFailover(t, selector.FailoverConfig{
				Routes: []selector.Route{{Name: "a", Dialer: first}, {Name: "b", Dialer: second}},
				Trace:  rec.trace(),
			})
			ctx := selector.WithClass(t.Context(), selector.Pod)
			c, err := d.DialContext(ctx, "tcp", "10.0.0.1:80")
			first.wantDials(t, 1)
			a := dialer.Attempt{Class: "pod", Route: "a", Network: "tcp", Address: "10.0.0.1:80"}
			if len(rec.dones) == 0 || rec.dones[0].Attempt != a || !errors.Is(rec.dones[0].err, root(tt.err)) {
				t.Errorf("trace saw %v, want first %v", rec.dones, a)
			}
			if !tt.retry {
				second.wantDials(t, 0)
				de := asError(t, c, err)
				if !errors.Is(err, root(tt.err)) || de.Route != "a" || de.Class != "pod" || len(rec.overs) != 0 {
					t.Errorf("error %v, failovers %v", err, rec.overs)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			second.wantDials(t, 1)
			if len(rec.overs) != 1 || rec.overs[0].Attempt != a || !errors.Is(rec.overs[0].err, root(tt.err)) {
				t.Errorf("failovers %v", rec.overs)
			}
		})
	}
}

func TestFailoverStopsAtSuccess(t *testing.T) {
	first, second := &fake{}, &fake{}
	d, err := selector.Failover(selector.Route{Name: "a", Dialer: first}, selector.Route{Name: "b", Dialer: second})
	if err != nil {
		t.Fatal(err)
	}
	mustDial(t, t.Context(), d, "tcp", "10.0.0.1:80")
	first.wantDials(t, 1)
	second.wantDials(t, 0)
}

func TestFailoverErrors(t *testing.T) {
	proxyDown := at(dialer.HopProxy, fmt.Errorf("handshake: %w", syscall.ECONNRESET))
	agentSlow := at("agent edge-2", dialer.ErrTimeout)
	refused := at(dialer.HopTarget, syscall.ECONNREFUSED)
	denied := at(dialer.HopPolicy, dialer.ErrDenied)
	tests := []struct {
		name  string
		errs  []error
		route string // and hop and kind of the result
		hop   string
		kind  dialer.Kind
		retry bool
		text  string
	}{
		{"one", []error{proxyDown}, "a", dialer.HopProxy, dialer.Reset, true,
			"dial pod tcp 10.0.0.1:80 by a: proxy: handshake: connection reset by peer"},
		{"all routes broken: the first", []error{proxyDown, agentSlow}, "a", dialer.HopProxy, dialer.Reset, true,
			"dial pod tcp 10.0.0.1:80 by a: proxy: handshake: connection reset by peer (also failed: b: agent edge-2: timeout)"},
		{"three", []error{agentSlow, proxyDown, errors.New("odd")}, "a", "agent edge-2", dialer.Timeout, true,
			"dial pod tcp 10.0.0.1:80 by a: agent edge-2: timeout (also failed: b: proxy: handshake: connection reset by peer; c: target: odd)"},
		{"answered in the end: the answer", []error{agentSlow, refused}, "b", dialer.HopTarget, dialer.Refused, false,
			"dial pod tcp 10.0.0.1:80 by b: target: connection refused (also failed: a: agent edge-2: timeout)"},
		{"denied in the end: the denial", []error{agentSlow, denied}, "b", dialer.HopPolicy, dialer.Denied, false,
			"dial pod tcp 10.0.0.1:80 by b: policy: denied (also failed: a: agent edge-2: timeout)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var routes []selector.Route
			for i, err := range tt.errs {
				routes = append(routes, selector.Route{Name: string(rune('a' + i)), Dialer: &fake{err: err}})
			}
			over := mustFailover(t, selector.FailoverConfig{Routes: routes})
			s := mustNew(t, selector.Config{Rules: cluster()[2:3], Routes: routesFor(over, selector.Pod)})
			c, err := s.DialContext(t.Context(), "tcp", "10.0.0.1:80")
			de := asError(t, c, err)
			if de.Class != "pod" || de.Route != tt.route || de.Hop != tt.hop || de.Network != "tcp" || de.Address != "10.0.0.1:80" {
				t.Errorf("%#v", de)
			}
			if k := dialer.KindOf(err); k != tt.kind || de.Timeout() != (tt.kind == dialer.Timeout) {
				t.Errorf("kind %v, timeout %v; want %v", k, de.Timeout(), tt.kind)
			}
			if err.Error() != tt.text {
				t.Errorf("text\n got %s\nwant %s", err, tt.text)
			}
			for _, cause := range tt.errs {
				if kind := dialer.KindOf(cause); kind != dialer.Other && !errors.Is(err, kind.Err()) {
					t.Errorf("%v does not match %v", err, kind)
				}
			}
			if dialer.Retryable(err) != tt.retry {
				t.Errorf("Retryable = %v: a failover around this one would be misled", !tt.retry)
			}
		})
	}
}

func TestFailoverOfFailovers(t *testing.T) {
	last := &fake{}
	inner := mustFailover(t, selector.FailoverConfig{Routes: []selector.Route{
		{Name: "a", Dialer: &fake{err: at(dialer.HopAgent, dialer.ErrTimeout)}},
		{Name: "b", Dialer: &fake{err: at(dialer.HopPolicy, dialer.ErrDenied)}},
	}})
	outer := mustFailover(t, selector.FailoverConfig{Routes: []selector.Route{
		{Name: "inner", Dialer: inner}, {Name: "last", Dialer: last},
	}})
	c, err := outer.DialContext(t.Context(), "tcp", "10.0.0.1:80")
	asError(t, c, err)
	if !errors.Is(err, dialer.ErrDenied) {
		t.Error(err)
	}
	last.wantDials(t, 0)
}

func TestFailoverNilConn(t *testing.T) {
	bad := dialer.Func(func(context.Context, string, string) (net.Conn, error) { return nil, nil })
	second := &fake{}
	d := mustFailover(t, selector.FailoverConfig{
		Routes: []selector.Route{{Name: "bad", Dialer: bad}, {Name: "good", Dialer: second}},
	})
	mustDial(t, t.Context(), d, "tcp", "10.0.0.1:80")
	second.wantDials(t, 1)
}

func TestFailoverReadiness(t *testing.T) {
	down := errors.New("no agents")
	broken := at(dialer.HopProxy, dialer.ErrReset)
	tests := []struct {
		name  string
		ready []error
		want  []string // the order of attempts
	}{
		{"all ready", []error{nil, nil, nil}, []string{"a", "b", "c"}},
		{"first not", []error{down, nil, nil}, []string{"b", "c", "a"}},
		{"last only", []error{down, down, nil}, []string{"c", "a", "b"}},
		{"none", []error{down, down, down}, []string{"a", "b", "c"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var rec recorder
			cfg := selector.FailoverConfig{Trace: rec.trace()}
			ready := false
			for i, r := range tt.ready {
				cfg.Routes = append(cfg.Routes, selector.Route{Name: string(rune('a' + i)), Dialer: &fake{ready: r, err: broken}})
				ready = ready || r == nil
			}
			d := mustFailover(t, cfg)
			if _, err := d.DialContext(t.Context(), "tcp", "10.0.0.1:80"); err == nil {
				t.Fatal("dialled")
			}
			var got []string
			for _, a := range rec.starts {
				got = append(got, a.Route)
			}
			if strings.Join(got, " ") != strings.Join(tt.want, " ") {
				t.Errorf("tried %v, want %v", got, tt.want)
			}
			if len(rec.overs) != len(tt.want)-1 {
				t.Errorf("%d failovers", len(rec.overs))
			}
			err := dialer.Ready(d)
			if (err == nil) != ready || !ready && (!errors.Is(err, down) || !strings.Contains(err.Error(), "b: no agents")) {
				t.Errorf("Ready = %v, want ready %v", err, ready)
			}
		})
	}
}

func TestFailoverConstruction(t *testing.T) {
	ok := dialer.Dialer(&fake{})
	var nilFunc dialer.Func
	tests := []struct {
		name   string
		routes []selector.Route
		want   []string
	}{
		{"none", nil, []string{"without routes"}},
		{"no name", []selector.Route{{Name: "a", Dialer: ok}, {Dialer: ok}}, []string{"Routes[1]", "Name is empty"}},
		{"nil", []selector.Route{{Name: "a"}}, []string{"Routes[0]", `"a"`, "Dialer is nil"}},
		{"nil func", []selector.Route{{Name: "a", Dialer: nilFunc}}, []string{"Routes[0]", "Dialer is nil"}},
		{"twice", []selector.Route{{Name: "a", Dialer: ok}, {Name: "b", Dialer: ok}, {Name: "a", Dialer: ok}}, []string{"Routes[2]", `"a"`, "another route"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := selector.Failover(tt.routes...)
			if d != nil || err == nil {
				t.Fatalf("Failover = %v, %v", d, err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v does not say %q", err, part)
				}
			}
		})
	}
}

func TestFailoverConfigIsCopied(t *testing.T) {
	first, other := &fake{}, &fake{}
	var rec recorder
	cfg := selector.FailoverConfig{Routes: []selector.Route{{Name: "a", Dialer: first}}, Trace: rec.trace()}
	d := mustFailover(t, cfg)
	cfg.Routes[0] = selector.Route{Name: "x", Dialer: other}
	*cfg.Trace = dialer.Trace{}
	mustDial(t, t.Context(), d, "tcp", "10.0.0.1:80")
	first.wantDials(t, 1)
	if len(rec.starts) != 1 || rec.starts[0].Route != "a" {
		t.Errorf("trace saw %v", rec.starts)
	}
}
