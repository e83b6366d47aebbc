package direct

import (
	"context"
	"net"
	"net/netip"
	"time"
)

// connectFunc connects to one address.
type connectFunc func(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error)

// connector returns the one in use.
func (d *Dialer) connector() connectFunc {
	if d.connect != nil {
		return d.connect
	}
	return d.connectTCP
}

// connectTCP hands package net a literal, so that nothing is resolved again.
// Going through net.Dialer keeps the hooks of net/http/httptrace working.
func (d *Dialer) connectTCP(ctx context.Context, network string, addr netip.AddrPort) (net.Conn, error) {
	nd := net.Dialer{KeepAliveConfig: d.KeepAliveConfig}
	return nd.DialContext(ctx, network, addr.String())
}

// oneByOne tries addrs in turn and returns the first conn, or the first error:
// the address that was preferred tells most.
func (d *Dialer) oneByOne(ctx context.Context, network string, addrs []netip.AddrPort) (net.Conn, error) {
	var first error
	for i, addr := range addrs {
		c, err := d.connectInTime(ctx, network, addr, len(addrs)-i)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

// connectInTime gives addr its share of the time that is left for it and those
// after it, so that the first to hang does not use up everything.
func (d *Dialer) connectInTime(ctx context.Context, network string, addr netip.AddrPort, remaining int) (net.Conn, error) {
	if at, ok := ctx.Deadline(); ok && remaining > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, share(time.Until(at), remaining))
		defer cancel()
	}
	return d.connector()(ctx, network, addr)
}

// share is what one of n addresses gets of the time left: an equal part, but
// not less than a connection over a long road needs.
func share(left time.Duration, n int) time.Duration {
	const sane = 2 * time.Second
	return min(left, max(left/time.Duration(n), sane))
}
