package selector

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// FailoverConfig is what [NewFailover] builds from. NewFailover copies it.
type FailoverConfig struct {
	// Routes are the ways to the same destinations, the preferred one first.
	// There must be at least one, and no two of one name. They should lead into
	// the same network: a failover must not turn an address of one network into
	// a dial in another.
	Routes []Route

	// Trace sees each attempt under its route's name, and each step from one
	// route to the next in its Failover hook. The class is set where a
	// [Selector] chose it. Nil means none.
	Trace *dialer.Trace

	// AttemptTimeout bounds each attempt; what is left of the caller's context
	// bounds it in any case. Zero shares: each attempt gets the time that is
	// left divided by the attempts that are left, so that a route that hangs
	// leaves time for the next; a caller without a deadline gets
	// [dialer.DefaultTimeout] to share. A negative value means no bound: an
	// attempt may use up all there is.
	AttemptTimeout time.Duration
}

// Failover is [NewFailover] with nothing but routes.
func Failover(routes ...Route) (dialer.Dialer, error) {
	return NewFailover(FailoverConfig{Routes: routes})
}

// NewFailover returns a Dialer that tries its routes in order until one
// succeeds. It starts nothing.
//
// It goes on only while [dialer.Retryable] says that the route failed. When the
// destination answered, be it with a refusal, when a policy denied the dial, or
// when the caller's context ended, that is the result. Routes that say they are
// not ready are tried after the others, not left out: what they know may be
// old. Once a conn is returned nothing is tried again.
//
// The error is that of the first attempt, the reason why anything else was
// tried, unless the last one ended the dial as told above. It tells the others
// behind it, and errors.Is finds them all; its kind and hop are those of the
// first named.
//
// The Dialer is a [dialer.Readier]: it is ready when any route is.
func NewFailover(cfg FailoverConfig) (dialer.Dialer, error) {
	if len(cfg.Routes) == 0 {
		return nil, errors.New("selector: failover without routes: no dial could ever succeed")
	}
	f := &failover{limit: cfg.AttemptTimeout}
	if cfg.Trace != nil {
		f.trace = *cfg.Trace
	}
	var errs []error
	seen := make(map[string]bool, len(cfg.Routes))
	for i, route := range cfg.Routes {
		if err := route.check(); err != nil {
			errs = append(errs, fmt.Errorf("selector: failover: Routes[%d] %q: %w", i, route.Name, err))
			continue
		}
		if seen[route.Name] {
			errs = append(errs, fmt.Errorf("selector: failover: Routes[%d] %q: another route has that name", i, route.Name))
		}
		seen[route.Name] = true
		f.routes = append(f.routes, Route{Name: route.Name, Dialer: strict{route.Dialer}})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return f, nil
}

type failover struct {
	routes []Route
	trace  dialer.Trace
	limit  time.Duration // AttemptTimeout
}

func (f *failover) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := f.bound(ctx)
	defer cancel()
	class, _ := ClassFrom(ctx)
	a := dialer.Attempt{Class: string(class), Network: network, Address: address}

	var failed failures
	order := f.order()
	for i, route := range order {
		a.Route = route.Name
		c, err := f.attempt(ctx, route.Dialer, a, len(order)-i)
		if err == nil {
			return c, nil
		}
		failed = append(failed, err)
		if timeIsUp(ctx) || !dialer.Retryable(err) {
			return nil, failed.decidedByLast()
		}
		if i < len(order)-1 {
			f.trace.FailedOver(ctx, a, err)
		}
	}
	return nil, failed.decidedByFirst()
}

// timeIsUp reports whether ctx has ended. It reads the clock besides, because
// the timer of a socket may fire a moment before that of the context.
func timeIsUp(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// bound gives a caller without a deadline one, where the attempts need
// something to share.
func (f *failover) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok || f.limit != 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, dialer.DefaultTimeout)
}

// order returns the routes with those that are not ready moved to the end.
func (f *failover) order() []Route {
	if len(f.routes) == 1 {
		return f.routes
	}
	ready := make([]Route, 0, len(f.routes))
	var rest []Route
	for _, route := range f.routes {
		if dialer.Ready(route.Dialer) == nil {
			ready = append(ready, route)
		} else {
			rest = append(rest, route)
		}
	}
	return slices.Concat(ready, rest)
}

// attempt dials once; left counts the attempts that may still be made, this one
// included. Its error names the class and the route.
func (f *failover) attempt(ctx context.Context, d dialer.Dialer, a dialer.Attempt, left int) (net.Conn, error) {
	ctx, cancel := f.share(ctx, left)
	defer cancel()
	done := f.trace.Start(ctx, a)
	c, err := d.DialContext(ctx, a.Network, a.Address)
	err = dialer.Annotate(err, a.Class, a.Route, a.Network, a.Address)
	done(err)
	return c, err
}

func (f *failover) share(ctx context.Context, left int) (context.Context, context.CancelFunc) {
	if f.limit > 0 {
		return context.WithTimeout(ctx, f.limit)
	}
	deadline, ok := ctx.Deadline()
	if f.limit < 0 || left == 1 || !ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
}

// Ready returns nil when any route is ready, otherwise why each is not.
func (f *failover) Ready() error {
	var errs []error
	for _, route := range f.routes {
		err := dialer.Ready(route.Dialer)
		if err == nil {
			return nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", route.Name, err))
	}
	return errors.Join(errs...)
}
