package dialer_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// Any function of the usual signature is a Dialer, and wrappers add bounds,
// names and hooks.
func Example() {
	refusing := dialer.Func(func(_ context.Context, network, address string) (net.Conn, error) {
		return nil, dialer.Wrap(dialer.ErrRefused, dialer.HopTarget, network, address)
	})
	trace := &dialer.Trace{
		DialDone: func(_ context.Context, a dialer.Attempt, _ time.Duration, err error) {
			fmt.Println("route", a.Route, "failed:", dialer.KindOf(err))
		},
	}
	d := dialer.Traced("tunnel", dialer.WithTimeout(refusing, 5*time.Second), trace)

	_, err := d.DialContext(context.Background(), "tcp", "node-1:10250")
	fmt.Println(err)
	fmt.Println(errors.Is(err, dialer.ErrRefused), dialer.Retryable(err))
	// Output:
	// route tunnel failed: refused
	// dial tcp node-1:10250 by tunnel: target: connection refused
	// true false
}
