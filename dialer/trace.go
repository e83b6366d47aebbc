package dialer

import (
	"cmp"
	"context"
	"net"
	"time"
)

// Attempt is one dial as a [Trace] sees it.
type Attempt struct {
	// Class and Route are set where a selector chose them, or by [Traced].
	Class, Route string
	// Network and Address are the dial's arguments.
	Network, Address string
}

// Trace is a set of hooks. Any of them may be nil, and so may the *Trace. They
// are called on the goroutine that dials, so they must be quick and safe for
// concurrent use. They may not keep or close the conn.
type Trace struct {
	// DialStart is called before each dial.
	DialStart func(ctx context.Context, a Attempt)
	// DialDone is called after each dial with the time it took and its error,
	// nil for a success. ctx is the one DialStart saw.
	DialDone func(ctx context.Context, a Attempt, took time.Duration, err error)
	// Failover is called when a dial by a.Route failed with err and another
	// route will be tried.
	Failover func(ctx context.Context, a Attempt, err error)
}

// Start calls DialStart and returns the function to call with the dial's error.
func (t *Trace) Start(ctx context.Context, a Attempt) (done func(error)) {
	if t == nil {
		return func(error) {}
	}
	if t.DialStart != nil {
		t.DialStart(ctx, a)
	}
	if t.DialDone == nil {
		return func(error) {}
	}
	begin := time.Now()
	return func(err error) { t.DialDone(ctx, a, time.Since(begin), err) }
}

// FailedOver calls the Failover hook.
func (t *Trace) FailedOver(ctx context.Context, a Attempt, err error) {
	if t != nil && t.Failover != nil {
		t.Failover(ctx, a, err)
	}
}

// Traced returns a Dialer that reports each dial of d to trace under the name
// route, and puts that name into the errors that have none. A nil trace only
// names the errors.
func Traced(route string, d Dialer, trace *Trace) Dialer {
	return &traced{route: route, d: d, trace: trace}
}

type traced struct {
	route string
	d     Dialer
	trace *Trace
}

func (t *traced) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	done := t.trace.Start(ctx, Attempt{Route: t.route, Network: network, Address: address})
	c, err := t.d.DialContext(ctx, network, address)
	err = Annotate(err, "", t.route, network, address)
	done(err)
	return c, err
}

// Ready asks the wrapped Dialer, so that tracing does not hide readiness.
func (t *traced) Ready() error { return Ready(t.d) }

// Describe names the route, unless the wrapped Dialer knows it more closely.
func (t *traced) Describe(ctx context.Context, network, address string) Attempt {
	a := Describe(ctx, t.d, network, address)
	a.Route = cmp.Or(a.Route, t.route)
	return a
}
