package dialer_test

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// hanging is a Dialer that returns when its context does.
func hanging() dialer.Dialer {
	return dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
		<-ctx.Done()
		return nil, dialer.Wrap(ctx.Err(), dialer.HopTarget, network, address)
	})
}

func TestWithTimeout(t *testing.T) {
	for _, tt := range []struct{ timeout, ctx, want time.Duration }{
		{time.Second, time.Hour, time.Second},
		{0, time.Hour, dialer.DefaultTimeout},
		{-1, time.Hour, time.Hour},
		{time.Hour, time.Second, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tt.ctx)
			defer cancel()
			begin := time.Now()
			_, err := dialer.WithTimeout(hanging(), tt.timeout).DialContext(ctx, "tcp", "a:1")
			if took := time.Since(begin); took != tt.want || dialer.KindOf(err) != dialer.Timeout {
				t.Errorf("timeout %v in a context of %v: %v after %v, want a timeout after %v", tt.timeout, tt.ctx, err, took, tt.want)
			}
		})
	}
}

// unready is a Dialer that is not ready, for a reason.
type unready struct {
	dialer.Dialer
	reason error
}

func (u unready) Ready() error { return u.reason }

func TestReady(t *testing.T) {
	if err := dialer.Ready(hanging()); err != nil {
		t.Errorf("a Dialer without Ready: %v", err)
	}
	u := unready{hanging(), io.EOF}
	for name, d := range map[string]dialer.Dialer{
		"bare":    u,
		"timeout": dialer.WithTimeout(u, time.Second),
		"no time": dialer.WithTimeout(u, -1),
		"traced":  dialer.Traced("r", u, nil),
	} {
		if err := dialer.Ready(d); err != io.EOF {
			t.Errorf("%s: got %v, want the reason", name, err)
		}
	}
}

func TestTraced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var events []string
		var last error
		want := dialer.Attempt{Route: "tunnel", Network: "tcp", Address: "a:1"}
		note := func(ctx context.Context, event string, a dialer.Attempt) {
			events = append(events, event)
			if a != want || ctx.Value(key{}) != "caller's" {
				t.Errorf("%s saw %+v and context value %v", event, a, ctx.Value(key{}))
			}
		}
		trace := &dialer.Trace{
			DialStart: func(ctx context.Context, a dialer.Attempt) { note(ctx, "start", a) },
			DialDone: func(ctx context.Context, a dialer.Attempt, took time.Duration, err error) {
				note(ctx, "done", a)
				if last = err; took != time.Minute {
					t.Errorf("took %v, want 1m", took)
				}
			},
		}
		fail := true
		d := dialer.Traced("tunnel", dialer.Func(func(context.Context, string, string) (net.Conn, error) {
			time.Sleep(time.Minute)
			if fail {
				return nil, io.EOF
			}
			c, _ := net.Pipe()
			return c, nil
		}), trace)
		ctx := context.WithValue(t.Context(), key{}, "caller's")
		_, err := d.DialContext(ctx, "tcp", "a:1")
		if de, ok := errors.AsType[*dialer.Error](err); !ok || de.Route != "tunnel" || last != err {
			t.Errorf("got %v, traced %v; want the same error with its route", err, last)
		}
		fail = false
		if c, err := d.DialContext(ctx, "tcp", "a:1"); err != nil || last != nil {
			t.Errorf("a good dial: %v, traced %v", err, last)
		} else {
			c.Close()
		}
		if !slices.Equal(events, []string{"start", "done", "start", "done"}) {
			t.Errorf("events %q", events)
		}
	})
}

// TestTraceNil: hooks are optional, one by one and all together.
func TestTraceNil(t *testing.T) {
	for _, trace := range []*dialer.Trace{nil, {}, {DialStart: func(context.Context, dialer.Attempt) {}}} {
		trace.Start(t.Context(), dialer.Attempt{})(io.EOF)
		trace.FailedOver(t.Context(), dialer.Attempt{}, io.EOF)
	}
	var got error
	trace := &dialer.Trace{Failover: func(_ context.Context, _ dialer.Attempt, err error) { got = err }}
	if trace.FailedOver(t.Context(), dialer.Attempt{}, io.EOF); got != io.EOF {
		t.Errorf("Failover saw %v", got)
	}
}
