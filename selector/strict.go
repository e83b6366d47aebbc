package selector

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/sallyport/sallyport/dialer"
)

// strict holds a route's Dialer, which may be anybody's, to the parts of the
// contract that failover and leak-freedom stand on: after its context has ended
// there is no conn, and the error says at which hop, and whether the caller gave
// up, time ran out or the destination had answered.
type strict struct{ d dialer.Dialer }

func (s strict) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if ctx.Err() != nil {
		return nil, dialer.Wrap(ended(ctx), dialer.HopSelect, network, address)
	}
	c, err := s.dial(ctx, network, address)
	return c, dialer.Wrap(err, hopOf(err), network, address)
}

func (s strict) dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := s.d.DialContext(ctx, network, address)
	if err == nil && c == nil {
		return nil, errors.New("the route's Dialer returned neither a conn nor an error")
	}
	if err == nil && ctx.Err() == nil {
		return c, nil
	}
	if c != nil {
		c.Close() // nobody will: it is late, or came beside an error
	}
	return nil, reason(ctx, err)
}

// Ready asks the wrapped Dialer.
func (s strict) Ready() error { return dialer.Ready(s.d) }

// hopOf names the hop for Dialers that do not know of hops. Such a one, a
// net.Dialer first of all, resolves the name and dials the target itself.
func hopOf(err error) string {
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return dialer.HopResolve
	}
	return dialer.HopTarget
}

// reason returns what to report for a dial that failed with err, or with nil
// but too late: the end of ctx where that is what stopped the dial, so that what
// breaks while a dial is torn down does not pass for the cause.
func reason(ctx context.Context, err error) error {
	end := ctx.Err()
	if end == nil {
		return err
	}
	cause := context.Cause(ctx)
	if err != nil && dialer.KindOf(err) == dialer.KindOf(end) && (cause == end || errors.Is(err, cause)) {
		return err // it says so itself, and knows the hop
	}
	if err != nil && errors.Is(end, context.DeadlineExceeded) && answered(err) {
		// An answer that came late is an answer all the same. If a denial
		// became a timeout here, another route would be tried around it.
		return err
	}
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		c := *de
		c.Err = ended(ctx)
		return &c
	}
	return ended(ctx)
}

// answered reports whether err is the word of the target or of a policy.
func answered(err error) bool {
	return dialer.KindOf(err) != dialer.Canceled && !dialer.Retryable(err)
}

// ended returns why ctx ended, recognisable both as the caller's own cause and
// as the context's error, which is what gives it its kind.
func ended(ctx context.Context) error {
	end, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, end) {
		return cause
	}
	return fmt.Errorf("%w: %w", end, cause)
}
