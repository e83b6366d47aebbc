package selector

import (
	"context"
	"fmt"
	"net"

	"github.com/sallyport/sallyport/dialer"
)

// way is the Dialer of one class that has a route.
type way struct {
	class Class
	route string
	d     dialer.Dialer // the route's, strict and bounded
	trace *dialer.Trace
}

func (w *way) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	// What stands behind the selector may want the class, if only for a trace.
	ctx = WithClass(ctx, w.class)
	done := w.trace.Start(ctx, dialer.Attempt{
		Class: string(w.class), Route: w.route, Network: network, Address: address,
	})
	c, err := w.dial(ctx, network, address)
	err = dialer.Annotate(err, string(w.class), w.route, network, address)
	done(err)
	return c, err
}

func (w *way) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := checkNetwork(network); err != nil {
		return nil, noRoute(network, address, err)
	}
	return w.d.DialContext(ctx, network, address)
}

// Describe names the class and the route.
func (w *way) Describe(_ context.Context, network, address string) dialer.Attempt {
	return dialer.Attempt{Class: string(w.class), Route: w.route, Network: network, Address: address}
}

// Ready asks the route.
func (w *way) Ready() error {
	if err := dialer.Ready(w.d); err != nil {
		return fmt.Errorf("class %s by %s: %w", w.class, w.route, err)
	}
	return nil
}

// nowhere is the Dialer of a class that has no route. It is a value, not a
// pointer, so that two of one class are equal without being remembered.
type nowhere struct {
	class Class
	trace *dialer.Trace
}

func (n nowhere) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return nil, refuse(ctx, n.trace, n.class, network, address, n.reason())
}

// Describe names the class, which is all there is.
func (n nowhere) Describe(_ context.Context, network, address string) dialer.Attempt {
	return dialer.Attempt{Class: string(n.class), Network: network, Address: address}
}

// Ready says that it never will be.
func (n nowhere) Ready() error { return fmt.Errorf("%w: %w", dialer.ErrNoRoute, n.reason()) }

func (n nowhere) reason() error { return fmt.Errorf("class %q has no route", n.class) }

// refuse reports a dial that never leaves the selector. The trace sees it like
// any other, or a class that was forgotten would be invisible to it.
func refuse(ctx context.Context, trace *dialer.Trace, class Class, network, address string, why error) error {
	done := trace.Start(ctx, dialer.Attempt{Class: string(class), Network: network, Address: address})
	err := dialer.Annotate(noRoute(network, address, why), string(class), "", network, address)
	done(err)
	return err
}

func noRoute(network, address string, why error) *dialer.Error {
	return &dialer.Error{
		Hop: dialer.HopSelect, Network: network, Address: address,
		Err: fmt.Errorf("%w: %w", dialer.ErrNoRoute, why),
	}
}

func checkNetwork(network string) error {
	switch network {
	case "tcp", "tcp4", "tcp6":
		return nil
	}
	return fmt.Errorf("%w: want tcp, tcp4 or tcp6", net.UnknownNetworkError(network))
}
