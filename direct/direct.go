package direct

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// DefaultFallbackDelay is the head start of the preferred address family, as
// RFC 8305 recommends it.
const DefaultFallbackDelay = 250 * time.Millisecond

// Resolver turns names into addresses; *net.Resolver is one. Its answers are
// used in the order they come in. It should return when ctx ends; one that does
// not is no longer waited for.
type Resolver interface {
	// LookupNetIP looks up host; network is "ip", "ip4" or "ip6".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Dialer opens TCP connections from this process. The zero value works. Its
// fields must not change once it is in use.
type Dialer struct {
	// Resolver resolves host names. Nil means net.DefaultResolver. It is not
	// asked about address literals.
	Resolver Resolver

	// Allow is asked for every address before the first one is dialed; an error
	// takes that address out. If none is left the dial fails with a
	// *dialer.Error of the hop policy that is dialer.ErrDenied and unwraps to
	// the first such error. host is the name or literal that was dialed. Allow
	// must be safe for concurrent use and return when ctx ends. Nil allows all.
	// The package documentation tells which addresses deserve a second look.
	Allow func(ctx context.Context, host string, addr netip.AddrPort) error

	// FallbackDelay is the head start that the family of the first address has
	// before the other family is tried as well. Zero means
	// DefaultFallbackDelay. A negative delay turns the race off: addresses are
	// tried one after the other.
	FallbackDelay time.Duration

	// Timeout bounds a dial from resolving to connecting. Zero means
	// dialer.DefaultTimeout; negative means no bound but the caller's context.
	Timeout time.Duration

	// KeepAliveConfig configures TCP keep-alive. The zero value means what it
	// means in net.Dialer: probes are on, with the defaults of package net.
	KeepAliveConfig net.KeepAliveConfig

	connect connectFunc // stands in for the network in tests
}

var _ dialer.Dialer = (*Dialer)(nil)

// DialContext connects to address, a host and a port, on "tcp", "tcp4" or
// "tcp6". The port is a number from 1 to 65535 or the name of a service. ctx
// bounds the dial, not the connection. Errors are *dialer.Error.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if timeout := cmp.Or(d.Timeout, dialer.DefaultTimeout); timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	host, addrs, err := d.resolve(ctx, network, address)
	if err != nil {
		return nil, failure(ctx, err, dialer.HopResolve, network, address)
	}
	addrs, err = d.allowed(ctx, host, addrs)
	if err != nil {
		return nil, failure(ctx, err, dialer.HopPolicy, network, address)
	}
	c, err := d.race(ctx, network, addrs)
	if err != nil {
		return nil, failure(ctx, err, dialer.HopTarget, network, address)
	}
	return c, nil
}

// failure is the error of a dial. A caller who gave up is told just that,
// whatever broke in consequence; a deadline keeps the error of the first
// address, which may be more telling than the time that the others took.
func failure(ctx context.Context, err error, hop, network, address string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		err = dialer.CauseOf(ctx, err)
	}
	return &dialer.Error{Hop: hop, Network: network, Address: address, Err: err}
}
