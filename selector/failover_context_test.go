package selector_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/selector"
)

func TestFailoverSharesTheTime(t *testing.T) {
	const sec = time.Second
	tests := []struct {
		name     string
		attempt  time.Duration
		deadline time.Duration // of the caller; 0 is none
		want     []time.Duration
	}{
		{"default", 0, 12 * sec, []time.Duration{4 * sec, 4 * sec, 4 * sec}},
		{"default without deadline", 0, 0, []time.Duration{10 * sec, 10 * sec, 10 * sec}},
		{"fixed", 2 * sec, 12 * sec, []time.Duration{2 * sec, 2 * sec, 2 * sec}},
		{"fixed without deadline", 20 * sec, 0, []time.Duration{20 * sec, 20 * sec, 20 * sec}},
		{"fixed beyond the deadline", 8 * sec, 12 * sec, []time.Duration{8 * sec, 4 * sec, 0}},
		{"none", -1, 12 * sec, []time.Duration{12 * sec, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fakes := []*fake{{hang: true}, {hang: true}, {hang: true}}
				var routes []selector.Route
				for i, f := range fakes {
					routes = append(routes, selector.Route{Name: fmt.Sprint(i), Dialer: f})
				}
				var rec recorder
				d := mustFailover(t, selector.FailoverConfig{Routes: routes, AttemptTimeout: tt.attempt, Trace: rec.trace()})
				ctx := t.Context()
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				c, err := d.DialContext(ctx, "tcp", "10.0.0.1:80")
				if de := asError(t, c, err); !de.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v is no timeout", err)
				}
				for i, f := range fakes {
					if f.took != tt.want[i] || (f.dials.Load() == 1) != (tt.want[i] > 0) {
						t.Errorf("route %d: %d dials, %v; want %v", i, f.dials.Load(), f.took, tt.want[i])
					}
				}
				tried := 0
				for _, took := range tt.want {
					if took > 0 {
						tried++
					}
				}
				if len(rec.starts) != tried || len(rec.overs) != tried-1 {
					t.Errorf("the trace saw %d attempts and %d failovers of %d attempts", len(rec.starts), len(rec.overs), tried)
				}
			})
		})
	}
}

// What a quick failure leaves over is the next one's.
func TestFailoverHangingRouteLeavesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quick := &fake{err: at(dialer.HopProxy, dialer.ErrRefused)}
		hung, good := &fake{hang: true}, &fake{}
		d := mustFailover(t, selector.FailoverConfig{Routes: []selector.Route{
			{Name: "quick", Dialer: quick}, {Name: "hung", Dialer: hung}, {Name: "good", Dialer: good},
		}})
		s := mustNew(t, selector.Config{Routes: routesFor(d, selector.Pod)}) // default timeout
		begin := time.Now()
		mustDial(t, t.Context(), s.For(selector.Pod), "tcp", "10.0.0.1:80")
		if took := time.Since(begin); took != dialer.DefaultTimeout/2 {
			t.Errorf("took %v, want %v", took, dialer.DefaultTimeout/2)
		}
	})
}

// early is a context whose timer has not fired yet although its time has come.
type early struct{ context.Context }

func (early) Deadline() (time.Time, bool) { return time.Now().Add(-time.Nanosecond), true }

func TestFailoverGoesByTheClock(t *testing.T) {
	first, second := &fake{err: at(dialer.HopTarget, dialer.ErrTimeout)}, &fake{}
	d := mustFailover(t, selector.FailoverConfig{
		Routes:         []selector.Route{{Name: "a", Dialer: first}, {Name: "b", Dialer: second}},
		AttemptTimeout: -1,
	})
	c, err := d.DialContext(early{t.Context()}, "tcp", "10.0.0.1:80")
	if de := asError(t, c, err); !de.Timeout() || de.Route != "a" {
		t.Error(err)
	}
	first.wantDials(t, 1)
	second.wantDials(t, 0)
}

func TestFailoverStopsWhenTheCallerDoes(t *testing.T) {
	boss := errors.New("shutting down")
	tests := []struct {
		name  string
		cause error
		err   error // what the route makes of it; nil: the context's error
	}{
		{"cancel", nil, nil},
		{"cancel with a cause", boss, nil},
		{"torn down", boss, at("agent edge-1", errors.New("stream closed"))},
		{"torn down as if refused", boss, syscall.ECONNREFUSED},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				first, second := &fake{hang: true, err: tt.err}, &fake{}
				var rec recorder
				d := mustFailover(t, selector.FailoverConfig{
					Routes: []selector.Route{{Name: "a", Dialer: first}, {Name: "b", Dialer: second}},
					Trace:  rec.trace(),
				})
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				time.AfterFunc(time.Second, func() { cancel(tt.cause) })
				begin := time.Now()
				c, err := d.DialContext(ctx, "tcp", "10.0.0.1:80")
				de := asError(t, c, err)
				if took := time.Since(begin); took != time.Second {
					t.Errorf("took %v", took)
				}
				if !errors.Is(err, context.Cause(ctx)) || dialer.KindOf(err) != dialer.Canceled {
					t.Errorf("error %v of kind %v, want %v", err, dialer.KindOf(err), context.Cause(ctx))
				}
				if want, ok := tt.err.(*dialer.Error); ok && de.Hop != want.Hop {
					t.Errorf("hop %q, want %q", de.Hop, want.Hop)
				}
				second.wantDials(t, 0)
				if len(rec.overs) != 0 {
					t.Errorf("failovers %v", rec.overs)
				}
			})
		})
	}
}

func TestFailoverWithEndedContextDialsNothing(t *testing.T) {
	first, second := &fake{}, &fake{}
	d := mustFailover(t, selector.FailoverConfig{
		Routes: []selector.Route{{Name: "a", Dialer: first}, {Name: "b", Dialer: second}},
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c, err := d.DialContext(ctx, "tcp", "10.0.0.1:80")
	asError(t, c, err)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	first.wantDials(t, 0)
	second.wantDials(t, 0)
}

// A conn that arrives after its attempt is over is closed, and the next route
// is tried.
func TestFailoverClosesLateConns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late, good := &fake{hang: true, late: true}, &fake{}
		d := mustFailover(t, selector.FailoverConfig{
			Routes: []selector.Route{{Name: "late", Dialer: late}, {Name: "good", Dialer: good}},
		})
		mustDial(t, t.Context(), d, "tcp", "10.0.0.1:80")
		if !late.conn.closed.Load() {
			t.Error("the late conn was not closed")
		}
		good.wantDials(t, 1)

		only := &fake{hang: true, late: true}
		s := mustNew(t, selector.Config{Routes: routesFor(only, selector.Pod)})
		c, err := s.For(selector.Pod).DialContext(t.Context(), "tcp", "10.0.0.1:80")
		if de := asError(t, c, err); !de.Timeout() || !only.conn.closed.Load() {
			t.Errorf("selector: %v, closed %v", err, only.conn.closed.Load())
		}
	})
}

// A denial that comes after its attempt's time is still a denial.
func TestFailoverHearsLateDenials(t *testing.T) {
	for _, err := range []error{at(dialer.HopPolicy, dialer.ErrDenied), at(dialer.HopTarget, syscall.ECONNREFUSED)} {
		synctest.Test(t, func(t *testing.T) {
			slow, second := &fake{hang: true, err: err}, &fake{}
			d := mustFailover(t, selector.FailoverConfig{
				Routes: []selector.Route{{Name: "a", Dialer: slow}, {Name: "b", Dialer: second}},
			})
			c, got := d.DialContext(t.Context(), "tcp", "10.0.0.1:80")
			asError(t, c, got)
			if !errors.Is(got, root(err)) {
				t.Errorf("%v became %v", err, got)
			}
			second.wantDials(t, 0)
		})
	}
}

// Dialers that mistake the end of their attempt for the caller's wish, or break
// while they are torn down, do not stop the failover.
func TestFailoverSeesThroughTheEndOfAnAttempt(t *testing.T) {
	for _, err := range []error{at(dialer.HopAgent, context.Canceled), errors.New("use of closed stream")} {
		synctest.Test(t, func(t *testing.T) {
			slow, second := &fake{hang: true, err: err}, &fake{}
			var rec recorder
			d := mustFailover(t, selector.FailoverConfig{
				Routes: []selector.Route{{Name: "a", Dialer: slow}, {Name: "b", Dialer: second}},
				Trace:  rec.trace(),
			})
			mustDial(t, t.Context(), d, "tcp", "10.0.0.1:80")
			second.wantDials(t, 1)
			if len(rec.overs) != 1 || dialer.KindOf(rec.overs[0].err) != dialer.Timeout {
				t.Errorf("failovers %v", rec.overs)
			}
		})
	}
}
