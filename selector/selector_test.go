package selector_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/selector"
)

func TestDialGoesByTheRouteOfTheClass(t *testing.T) {
	pods, nodes := &fake{}, &fake{}
	var rec recorder
	s := mustNew(t, selector.Config{
		Rules: cluster()[1:3],
		Routes: map[selector.Class]selector.Route{
			selector.Pod:  {Name: "tunnel", Dialer: pods},
			selector.Node: {Name: "bastion", Dialer: nodes},
		},
		Trace: rec.trace(),
	})
	mustDial(t, t.Context(), s, "tcp4", "10.0.0.1:80")
	pods.wantDials(t, 1)
	nodes.wantDials(t, 0)
	mustDial(t, t.Context(), s, "tcp", "192.0.2.1:22")
	pods.wantDials(t, 1)
	nodes.wantDials(t, 1)
	if nodes.address != "192.0.2.1:22" || nodes.class != selector.Node {
		t.Errorf("the route saw %q of class %q", nodes.address, nodes.class)
	}
	want := dialer.Attempt{Class: "pod", Route: "tunnel", Network: "tcp4", Address: "10.0.0.1:80"}
	if len(rec.starts) != 2 || rec.starts[0] != want || rec.dones[0] != (doneEvent{want, nil}) {
		t.Errorf("trace saw %v and %v, want first %v", rec.starts, rec.dones, want)
	}
}

func TestErrorsNameClassAndRoute(t *testing.T) {
	inner := &dialer.Error{Hop: "agent edge-1", Network: "tcp", Address: "10.0.0.1:80", Err: dialer.ErrRefused}
	for _, err := range []error{inner, fmt.Errorf("more words: %w", inner), net.UnknownNetworkError("x"), dialer.ErrRefused} {
		var rec recorder
		s := mustNew(t, selector.Config{
			Rules:  cluster()[2:3],
			Routes: map[selector.Class]selector.Route{selector.Pod: {Name: "tunnel", Dialer: &fake{err: err}}},
			Trace:  rec.trace(),
		})
		c, got := s.DialContext(t.Context(), "tcp", "10.0.0.1:80")
		de := asError(t, c, got)
		if de.Class != "pod" || de.Route != "tunnel" || de.Address != "10.0.0.1:80" || !errors.Is(got, root(err)) {
			t.Errorf("%#v", de)
		}
		if dialer.KindOf(got) != dialer.KindOf(err) {
			t.Errorf("kind %v became %v", dialer.KindOf(err), dialer.KindOf(got))
		}
		if len(rec.dones) != 1 || rec.dones[0].err != got {
			t.Errorf("the trace saw %v, the caller %v", rec.dones, got)
		}
	}
	if inner.Class != "" || inner.Route != "" {
		t.Errorf("the route's own error was changed: %v", inner)
	}
}

func TestForIsOneValuePerClass(t *testing.T) {
	s := clusterSelector(t, &fake{})
	classes := append(s.Classes(), "nobody", "")
	keys := map[dialer.Dialer]selector.Class{}
	for range 3 {
		for _, class := range classes {
			d := s.For(class)
			if d == nil {
				t.Fatalf("For(%q) is nil", class)
			}
			if other, ok := keys[d]; ok && other != class {
				t.Errorf("%q and %q have one Dialer", class, other)
			}
			keys[d] = class
		}
	}
	if len(keys) != len(classes) {
		t.Errorf("%d Dialers for %d classes", len(keys), len(classes))
	}
}

func TestForIgnoresRulesAndContext(t *testing.T) {
	d := &fake{}
	s := clusterSelector(t, d)
	ctx := selector.WithClass(t.Context(), "nobody")
	mustDial(t, ctx, s.For(selector.Etcd), "tcp", "10.0.0.1:80")
	if d.class != selector.Etcd {
		t.Errorf("the route saw class %q", d.class)
	}
}

// Dialers from elsewhere know nothing of hops, and still every error has one.
func TestPlainErrorsGetAHop(t *testing.T) {
	for _, tt := range []struct {
		err error
		hop string
	}{
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, dialer.HopTarget},
		{&net.OpError{Op: "dial", Err: &net.DNSError{IsNotFound: true}}, dialer.HopResolve},
		{&dialer.Error{Hop: dialer.HopSSH, Err: dialer.ErrReset}, dialer.HopSSH},
	} {
		s := mustNew(t, selector.Config{Routes: routesFor(&fake{err: tt.err}, selector.Pod)})
		c, err := s.For(selector.Pod).DialContext(t.Context(), "tcp", "web:80")
		de := asError(t, c, err)
		if de.Hop != tt.hop || dialer.KindOf(err) != dialer.KindOf(tt.err) || de.Address != "web:80" {
			t.Errorf("%v became %v", tt.err, err)
		}
	}
}

func TestClasses(t *testing.T) {
	s := mustNew(t, selector.Config{Routes: routesFor(&fake{}, "pod", "etcd", "mine")})
	got := s.Classes()
	if !slices.Equal(got, []selector.Class{"etcd", "mine", "pod"}) {
		t.Errorf("Classes = %v", got)
	}
	got[0] = "changed"
	if s.Classes()[0] != "etcd" {
		t.Error("the caller can change the selector's classes")
	}
}

func TestConfigIsCopied(t *testing.T) {
	d, other := &fake{}, &fake{}
	var rec recorder
	cfg := selector.Config{Rules: cluster()[2:3], Routes: routesFor(d, selector.Pod), Trace: rec.trace()}
	s := mustNew(t, cfg)
	cfg.Rules[0].CIDRs[0] = "203.0.113.0/24"
	cfg.Rules[0].Class = "nobody"
	cfg.Routes[selector.Pod] = selector.Route{Name: "other", Dialer: other}
	cfg.Routes["added"] = selector.Route{Name: "added", Dialer: other}
	*cfg.Trace = dialer.Trace{}

	mustDial(t, t.Context(), s, "tcp", "10.0.0.1:80")
	d.wantDials(t, 1)
	other.wantDials(t, 0)
	if len(s.Classes()) != 1 || len(rec.starts) != 1 {
		t.Errorf("classes %v, %d starts", s.Classes(), len(rec.starts))
	}
}

func TestReady(t *testing.T) {
	down := errors.New("no agents")
	s := mustNew(t, selector.Config{Routes: map[selector.Class]selector.Route{
		"pod":  {Name: "tunnel", Dialer: &fake{ready: down}},
		"etcd": {Name: "direct", Dialer: &fake{}},
		"node": {Name: "plain", Dialer: dialer.Func((&fake{}).DialContext)}, // no Readier
	}})
	for _, class := range []selector.Class{"etcd", "node"} {
		if err := s.ReadyClass(class); err != nil {
			t.Errorf("%s: %v", class, err)
		}
	}
	for _, err := range []error{s.ReadyClass("pod"), dialer.Ready(s.For("pod")), s.Ready(), dialer.Ready(s)} {
		if !errors.Is(err, down) || !strings.Contains(err.Error(), "class pod by tunnel") {
			t.Errorf("not ready: %v", err)
		}
	}
	for _, err := range []error{s.ReadyClass("nobody"), dialer.Ready(s.For("nobody")), new(selector.Selector).Ready()} {
		if !errors.Is(err, dialer.ErrNoRoute) {
			t.Errorf("not ready: %v", err)
		}
	}
	ready := mustNew(t, selector.Config{Routes: routesFor(&fake{}, "pod")})
	if err := ready.Ready(); err != nil {
		t.Error(err)
	}
}

func TestTimeout(t *testing.T) {
	tests := []struct {
		timeout, want time.Duration
	}{
		{0, dialer.DefaultTimeout},
		{time.Second, time.Second},
		{-1, time.Hour}, // the caller's
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			d := &fake{hang: true}
			s := mustNew(t, selector.Config{Rules: cluster()[2:3], Routes: routesFor(d, selector.Pod), Timeout: tt.timeout})
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			c, err := s.DialContext(ctx, "tcp", "10.0.0.1:80")
			de := asError(t, c, err)
			if !de.Timeout() || d.took != tt.want {
				t.Errorf("Timeout %v: %v after %v, want a timeout after %v", tt.timeout, err, d.took, tt.want)
			}
		})
	}
	d := &fake{}
	s := mustNew(t, selector.Config{Routes: routesFor(d, selector.Pod), Timeout: -1})
	mustDial(t, context.Background(), s.For(selector.Pod), "tcp", "10.0.0.1:80")
	if d.deadline {
		t.Error("a negative timeout set a deadline")
	}
}

// The context bounds the dial and not the conn.
func TestConnOutlivesTheContext(t *testing.T) {
	d := &fake{}
	s := mustNew(t, selector.Config{Routes: routesFor(d, selector.Pod), Timeout: time.Minute})
	ctx, cancel := context.WithCancel(t.Context())
	c, err := s.For(selector.Pod).DialContext(ctx, "tcp", "10.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	cancel()
	go d.conn.far.Write([]byte("x"))
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func TestConcurrentUse(t *testing.T) {
	d := &fake{}
	var rec recorder
	over := mustFailover(t, selector.FailoverConfig{
		Routes: []selector.Route{
			{Name: "broken", Dialer: &fake{err: &dialer.Error{Hop: dialer.HopProxy, Err: dialer.ErrReset}}},
			{Name: "good", Dialer: d},
		},
		Trace: rec.trace(),
	})
	s := mustNew(t, selector.Config{Rules: cluster()[2:3], Routes: routesFor(over, selector.Pod), Trace: rec.trace()})
	const callers, each = 16, 20
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range each {
				mustDialQuietly(t, s, "10.0.0.1:80")
				if _, err := s.DialContext(t.Context(), "tcp", "203.0.113.1:80"); !errors.Is(err, dialer.ErrNoRoute) {
					t.Errorf("no class: %v", err)
				}
				s.Ready()
				s.Classes()
			}
		})
	}
	wg.Wait()
	d.wantDials(t, callers*each)
	if len(rec.overs) != callers*each {
		t.Errorf("%d failovers, want %d", len(rec.overs), callers*each)
	}
}

// mustDialQuietly may be called beside the test's goroutine.
func mustDialQuietly(t *testing.T, d dialer.Dialer, address string) {
	c, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Errorf("DialContext: %v", err)
		return
	}
	c.Close()
}
