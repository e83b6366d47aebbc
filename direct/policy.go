package direct

import (
	"context"
	"net/netip"

	"github.com/sallyport/sallyport/dialer"
)

// allowed returns those of addrs that Allow does not refuse, or why there is
// none.
func (d *Dialer) allowed(ctx context.Context, host string, addrs []netip.AddrPort) ([]netip.AddrPort, error) {
	if d.Allow == nil {
		return addrs, nil
	}
	kept := addrs[:0] // addrs is the dial's own
	var first error
	for _, addr := range addrs {
		err := d.Allow(ctx, host, addr)
		// An Allow that was interrupted has refused nothing.
		if ended := ctx.Err(); ended != nil {
			return nil, ended
		}
		if err == nil {
			kept = append(kept, addr)
		} else if first == nil {
			first = &denial{addr: addr, err: err}
		}
	}
	if len(kept) == 0 {
		return nil, first
	}
	return kept, nil
}

// denial is a refused address with the reason Allow gave.
type denial struct {
	addr netip.AddrPort
	err  error
}

// Error names the address: the dial was asked for a name.
func (e *denial) Error() string { return e.addr.String() + " denied: " + e.err.Error() }

// Unwrap makes it dialer.ErrDenied without hiding the reason.
func (e *denial) Unwrap() []error { return []error{dialer.ErrDenied, e.err} }
