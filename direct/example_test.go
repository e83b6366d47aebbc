package direct_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/direct"
)

// A policy sees every address, and only what it has seen is dialed.
func Example() {
	pods := netip.MustParsePrefix("10.128.0.0/14")
	d := &direct.Dialer{
		Allow: func(_ context.Context, host string, addr netip.AddrPort) error {
			if !pods.Contains(addr.Addr().Unmap()) {
				return errors.New("not a pod")
			}
			return nil
		},
	}
	_, err := d.DialContext(context.Background(), "tcp", "127.0.0.1:6443")
	fmt.Println(err)
	fmt.Println(errors.Is(err, dialer.ErrDenied))
	// Output:
	// dial tcp 127.0.0.1:6443: policy: 127.0.0.1:6443 denied: not a pod
	// true
}
