package sshtunnel

import (
	"errors"
	"fmt"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// slot is the state of a channel in a client's books.
type slot uint8

const (
	slotFree       slot = iota // not there yet, or closed by both sides
	slotOpening                // a dial waits for the server's answer
	slotConn                   // a caller holds the conn
	slotClosing                // closed by its caller, and the server has not confirmed it
	slotUnanswered             // given up while it was opened, likewise
	slots
)

// maxWorn is how many clients that take no dials are kept for their conns.
const maxWorn = 2

// errGone is the cause of an open that failed because its client ended, or takes
// no more: it says nothing about the target.
var errGone = errors.New("sshtunnel: the client has ended")

// goneError is errGone at this hop, with why the client ended.
func (c *client) goneError() *dialer.Error {
	if c.err == nil {
		return c.d.failed(errGone)
	}
	return c.d.failed(fmt.Errorf("%w: %w", errGone, c.err))
}

// move puts a channel into another state. d.mu is held.
func (c *client) move(s *slot, to slot) {
	c.count[*s]--
	*s = to
	c.count[to]++
	if to != slotOpening && to != slotConn && c.unused() {
		c.idleSince = time.Now()
		c.look()
	}
}

// unused reports whether nobody has or waits for a conn. d.mu is held.
func (c *client) unused() bool { return c.used() == 0 }

// used is how many channels somebody has or waits for. d.mu is held.
func (c *client) used() int { return c.count[slotOpening] + c.count[slotConn] }

// left is how many channels this side has given up or closed without the server
// having confirmed it. d.mu is held.
func (c *client) left() int { return c.count[slotClosing] + c.count[slotUnanswered] }

// look has watch look at the books.
func (c *client) look() {
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// reserve takes a slot for an open. d.mu is held.
func (c *client) reserve(s *slot) *dialer.Error {
	switch {
	case c.ending || c.worn:
		return c.d.failed(errGone)
	case c.used()+c.left() < c.d.cfg.MaxConns:
		c.move(s, slotOpening)
		return nil
	case c.wear():
		return c.d.failed(errGone)
	}
	return c.d.failed(fmt.Errorf("%w: %d in use, %d more given up but not confirmed by the server", ErrBusy,
		c.used(), c.left()))
}

// wear takes the client out of use where most of its channels are of no more use
// to anybody: a server that does not get rid of them, because their targets hang,
// must not keep others from being dialed. d.mu is held.
func (c *client) wear() bool {
	if 2*c.left() < c.d.cfg.MaxConns || len(c.d.worn) >= maxWorn {
		return false
	}
	c.worn = true
	c.d.worn = append(c.d.worn, c)
	if c.d.client == c {
		c.d.client = nil
	}
	c.look()
	return true
}

// answered notes that the server is of use. d.mu is held.
func (c *client) answered() {
	c.proven = true
	c.d.backoff.Reset()
}
