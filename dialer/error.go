package dialer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
)

// The hops of a dial, in the order a dial takes them. A tunnel may add what it
// knows behind a space, as in "agent edge-1": see [Error.At].
const (
	HopSelect  = "select"  // choosing the class and the route
	HopResolve = "resolve" // turning a name into addresses
	HopPolicy  = "policy"  // asking whether the destination is allowed
	HopProxy   = "proxy"   // reaching a tunnel's server or its front end
	HopAgent   = "agent"   // asking an agent through its tunnel
	HopSSH     = "ssh"     // connecting and authenticating to an SSH server
	HopTarget  = "target"  // connecting to the destination itself
	HopTLS     = "tls"     // the TLS handshake with the destination
)

// Error is a failed dial. Every Dialer of this module returns its errors as
// *Error. It is a [net.Error], and unwraps to its cause.
type Error struct {
	// Class and Route are the destination class and the route a selector chose;
	// empty where no selector took part.
	Class, Route string
	// Hop is the hop that broke: a Hop constant, perhaps with a name behind it.
	Hop string
	// Network and Address are what DialContext was asked for at that hop.
	Network, Address string
	// Err is the cause, never nil.
	Err error
}

// Error tells the whole road on one line, hop last:
// "dial kubelet tcp node-1:10250 by tunnel: agent edge-1: connection refused".
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("dial")
	for _, part := range []string{e.Class, e.Network, e.Address} {
		if part != "" {
			b.WriteString(" " + part)
		}
	}
	if e.Route != "" {
		b.WriteString(" by " + e.Route)
	}
	if e.Hop != "" {
		b.WriteString(": " + e.Hop)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether time ran out, at whichever hop.
func (e *Error) Timeout() bool { return KindOf(e.Err) == Timeout }

// Temporary is part of net.Error and means the same as Timeout here; the method
// is deprecated there for being ill-defined.
func (e *Error) Temporary() bool { return e.Timeout() }

// Is makes errors.Is recognise the sentinels of this package by the kind of the
// cause: a refused connection is ErrRefused whoever reported it.
func (e *Error) Is(target error) bool {
	k := KindOf(e.Err)
	return k != Other && k.Err() == target
}

// At reports whether the dial broke at hop, with or without a name behind it.
func (e *Error) At(hop string) bool {
	return e.Hop == hop || strings.HasPrefix(e.Hop, hop+" ")
}

var _ net.Error = (*Error)(nil)

// Wrap returns err as an *Error of the given hop. An err that already is one is
// returned as it is: the hop nearest to the cause is the one that counts. A nil
// err gives nil.
func Wrap(err error, hop, network, address string) error {
	if err == nil {
		return nil
	}
	if de, ok := errors.AsType[*Error](err); ok && de != nil {
		return err
	}
	return &Error{Hop: hop, Network: network, Address: address, Err: err}
}

// Annotate returns err with the class and the route filled in where they are
// still empty. It changes no error in place. An err that is not an *Error
// becomes one.
func Annotate(err error, class, route, network, address string) error {
	if err == nil {
		return nil
	}
	de, ok := errors.AsType[*Error](err)
	if !ok {
		return &Error{Class: class, Route: route, Network: network, Address: address, Err: err}
	}
	c := *de
	if _, exact := err.(*Error); !exact {
		// Somebody wrapped the *Error with words of their own; keep them.
		c.Err = err
	}
	c.Class = cmp.Or(c.Class, class)
	c.Route = cmp.Or(c.Route, route)
	c.Network = cmp.Or(c.Network, network)
	c.Address = cmp.Or(c.Address, address)
	return &c
}

// CauseOf returns the error to report for a dial that ctx ended: what err says
// when ctx is still alive, otherwise why ctx ended, which tells "the caller
// gave up" from "the far side failed while being torn down". The answer is
// always ctx.Err() to errors.Is, and the cause of ctx besides where it has one
// of its own.
func CauseOf(ctx context.Context, err error) error {
	ended := ctx.Err()
	if ended == nil {
		return err
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, ended) {
		return cause
	}
	// A cause in the caller's own words must not hide the kind of the failure:
	// a cancelled dial would pass for one worth retrying.
	return fmt.Errorf("%w: %w", ended, cause)
}
