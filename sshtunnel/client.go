package sshtunnel

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
)

// client is one SSH connection. Its goroutines belong to the Dialer.
type client struct {
	d       *Dialer
	s       *shaken
	version string
	since   time.Time
	done    chan struct{} // closed when the connection has ended and err is set
	err     error         // why, nil when this side ended it
	poke    chan struct{} // one token: watch has to look
	asking  atomic.Bool   // a sign of life is wanted

	wg sync.WaitGroup // goroutines of channels

	// d.mu guards what follows.
	count     [slots]int         // of channels in each state
	conns     map[*conn]struct{} // those in slotConn
	idleSince time.Time          // since when there are no conns
	proven    bool               // the server has answered an open
	worn      bool               // takes no dials any more
	ending    bool               // by this side, or lost
	cause     error              // of the end; nil when this side wanted it
}

func newClient(d *Dialer, s *shaken) *client {
	now := time.Now()
	return &client{
		d: d, s: s, version: printable(string(s.conn.ServerVersion())), since: now, idleSince: now,
		done: make(chan struct{}), poke: make(chan struct{}, 1), conns: make(map[*conn]struct{}),
	}
}

// run starts the client's goroutines. d.mu is held, so that Close waits for
// them.
func (c *client) run() {
	c.d.wg.Go(c.refuseChannels)
	c.d.wg.Go(c.refuseRequests)
	c.d.wg.Go(c.wait)
	c.d.wg.Go(c.watch)
}

// wait waits for the end and tells about it.
func (c *client) wait() {
	why := c.s.conn.Wait()
	c.d.mu.Lock()
	if !c.ending {
		c.ending, c.cause = true, lost(why)
	}
	c.err = c.cause
	c.d.mu.Unlock()
	close(c.done)
	c.d.gone(c, c.err)
	c.wg.Wait() // their channels are closed, so they end
}

// lost is why a client ended that nobody here has ended.
func lost(why error) error {
	if why == nil || errors.Is(why, io.EOF) {
		return fmt.Errorf("the server hung up: %w", dialer.ErrReset)
	}
	return fmt.Errorf("connection to the server lost: %w", why)
}

// refuseRequests refuses what servers ask for out of the blue. It has to answer:
// OpenSSH's asks for signs of life this way.
func (c *client) refuseRequests() {
	for r := range c.s.requests {
		r.Reply(false, nil)
	}
}

// refuseChannels refuses what servers open: nobody has asked them to.
func (c *client) refuseChannels() {
	for ch := range c.s.channels {
		ch.Reject(ssh.Prohibited, "not asked for")
	}
}

// kill ends the connection because of err, nil when it is no longer wanted. It
// does not wait: done is closed at the end.
func (c *client) kill(err error) {
	c.d.mu.Lock()
	c.end(err)
	c.d.mu.Unlock()
	c.s.line.Close()
}

// end marks the client so that no dial takes it. d.mu is held.
func (c *client) end(err error) {
	if !c.ending {
		c.ending, c.cause = true, err
	}
	if c.d.client == c {
		c.d.client = nil
	}
}

// close ends the connection and its conns at once.
func (c *client) close() {
	c.d.mu.Lock()
	c.end(nil)
	conns := c.conns
	c.conns = nil
	c.d.mu.Unlock()
	for s := range conns {
		s.abort()
	}
	c.s.line.Close()
}
