package direct

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"time"
)

// outcome is how one side of a race ended.
type outcome struct {
	conn    net.Conn
	err     error
	primary bool
}

// race dials addrs: the family of the first address ahead, the other one after
// the fallback delay or as soon as the first has failed. It returns the first
// conn, or the error of the first address.
func (d *Dialer) race(ctx context.Context, network string, addrs []netip.AddrPort) (net.Conn, error) {
	if len(addrs) == 1 {
		return d.connector()(ctx, network, addrs[0])
	}
	delay := cmp.Or(d.FallbackDelay, DefaultFallbackDelay)
	primaries, fallbacks := split(addrs)
	if len(fallbacks) == 0 || delay < 0 {
		return d.oneByOne(ctx, network, addrs)
	}
	ctx, stop := context.WithCancel(ctx)
	decided := make(chan struct{})
	defer func() {
		close(decided)
		stop() // ends the loser's dial
	}()
	results := make(chan outcome) // unbuffered: what is sent somebody holds
	run := func(addrs []netip.AddrPort, primary bool) {
		c, err := d.oneByOne(ctx, network, addrs)
		select {
		case results <- outcome{c, err, primary}:
		case <-decided:
			if c != nil {
				c.Close()
			}
		}
	}
	go run(primaries, true)
	return referee(results, delay, func() { go run(fallbacks, false) })
}

// referee returns the first conn of results, or the primaries' error when both
// sides have failed. It calls startFallback once at the most.
func referee(results <-chan outcome, delay time.Duration, startFallback func()) (net.Conn, error) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	var primary, fallback *outcome
	for {
		select {
		case <-timer.C:
			startFallback()
		case r := <-results:
			if r.err == nil {
				return r.conn, nil
			}
			if r.primary {
				primary = &r
			} else {
				fallback = &r
			}
			if primary != nil && fallback != nil {
				return nil, primary.err
			}
			// Stop says whether the fallback is still to come. If so, nothing
			// is left to wait for.
			if r.primary && timer.Stop() {
				timer.Reset(0)
			}
		}
	}
}

// split parts addrs into those of the first one's family and the others.
func split(addrs []netip.AddrPort) (primaries, fallbacks []netip.AddrPort) {
	for _, a := range addrs {
		if isIPv4(a.Addr()) == isIPv4(addrs[0].Addr()) {
			primaries = append(primaries, a)
		} else {
			fallbacks = append(fallbacks, a)
		}
	}
	return primaries, fallbacks
}
