package message

import (
	"fmt"
	"math"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// Request asks an agent for a connection; it opens a stream.
type Request struct {
	Network string // 1: "tcp", "tcp4" or "tcp6"
	Address string // 2: host:port
	// Timeout is what is left of the caller's patience. Zero means the agent's own
	// bound.
	Timeout time.Duration // 3: in milliseconds
}

// maxTimeout is as long as any timeout is taken to be. A longer one is as good.
const maxTimeout = 24 * time.Hour

func (r *Request) appendTo(b []byte) []byte {
	b = appendString(b, 1, r.Network)
	b = appendString(b, 2, r.Address)
	return appendUint(b, 3, uint64(min(max(r.Timeout, 0), maxTimeout).Milliseconds()))
}

func (r *Request) set(f field) error {
	switch f.num {
	case 1:
		return f.str(&r.Network)
	case 2:
		return f.str(&r.Address)
	case 3:
		var ms uint64
		err := f.uint(&ms, math.MaxUint64)
		r.Timeout = time.Duration(min(ms, uint64(maxTimeout/time.Millisecond))) * time.Millisecond
		return err
	}
	return nil
}

func (r *Request) check() error {
	if r.Network == "" || r.Address == "" {
		return fmt.Errorf("%w: request without network or address", ErrMalformed)
	}
	return nil
}

// Answer says how a Request fared. After an Answer that is not Failed, the
// stream carries the connection's bytes.
type Answer struct {
	Failed bool        // 1
	Kind   dialer.Kind // 2: why it failed
	Hop    string      // 3: where it failed, a hop of package dialer
	Text   string      // 4: the failure in words
	// Local and Remote are the two ends of the agent's connection.
	Local, Remote string // 5, 6
}

func (a *Answer) appendTo(b []byte) []byte {
	if a.Failed {
		b = appendUint(b, 1, 1)
	}
	b = appendUint(b, 2, uint64(a.Kind))
	b = appendString(b, 3, a.Hop)
	b = appendString(b, 4, a.Text)
	b = appendString(b, 5, a.Local)
	return appendString(b, 6, a.Remote)
}

func (a *Answer) set(f field) error {
	switch f.num {
	case 1:
		return f.bool(&a.Failed)
	case 2:
		var k uint64
		err := f.uint(&k, math.MaxUint8)
		a.Kind = dialer.Kind(k)
		return err
	case 3:
		return f.str(&a.Hop)
	case 4:
		return f.str(&a.Text)
	case 5:
		return f.str(&a.Local)
	case 6:
		return f.str(&a.Remote)
	}
	return nil
}

func (a *Answer) check() error { return nil }

// Control is said on the first stream after the hello, by either end.
type Control struct {
	Op Op // 1
}

// Op is what a Control asks for. An end ignores what it does not know.
type Op uint64

// The ops.
const (
	// Drain: the sender is about to leave. A server gives the agent new
	// connections only when no other can take them; an agent looks for another
	// server.
	Drain Op = 1
)

func (c *Control) appendTo(b []byte) []byte { return appendUint(b, 1, uint64(c.Op)) }

func (c *Control) set(f field) error {
	if f.num == 1 {
		return f.uint((*uint64)(&c.Op), math.MaxUint32)
	}
	return nil
}

func (c *Control) check() error { return nil }
