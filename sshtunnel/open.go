package sshtunnel

import (
	"context"
	"errors"
	"net"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
)

// opening is a channel from the request on. Package ssh waits for the server's
// answer without a context, so a goroutine does that, and stays for what the
// server asks for on the channel.
type opening struct {
	t    target
	done chan struct{} // closed once conn or err is set
	conn *conn
	err  *dialer.Error

	slot      slot // guarded by Dialer.mu
	abandoned bool // likewise
}

// open has the server connect to t.
func (c *client) open(ctx context.Context, t target) (net.Conn, error) {
	o := &opening{t: t, done: make(chan struct{})}
	if ctx.Err() != nil {
		return nil, c.d.failed(dialer.CauseOf(ctx, nil))
	}
	if err := c.begin(o); err != nil {
		return nil, err
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		if c.abandon(o) {
			return nil, &dialer.Error{Hop: c.hopOfSilence(), Err: dialer.CauseOf(ctx, nil)}
		}
		<-o.done
	}
	if o.err != nil {
		return nil, o.err
	}
	return o.conn, nil
}

// begin sends the request.
func (c *client) begin(o *opening) error {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	if err := c.reserve(&o.slot); err != nil {
		return err
	}
	c.wg.Go(func() { c.serve(o) }) // under the lock: the end of the client waits for it
	return nil
}

// hopOfSilence tells who keeps a dial waiting. The server when it does not even
// give a sign of life, otherwise the target.
func (c *client) hopOfSilence() string {
	if k := c.d.cfg.KeepAlive; k > 0 && c.s.line.silence() > k+k/2 {
		return c.d.hop()
	}
	return dialer.HopTarget
}

// abandon gives up waiting for the answer. It reports false when that is there.
func (c *client) abandon(o *opening) bool {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	if o.slot != slotOpening {
		return false
	}
	o.abandoned = true
	c.move(&o.slot, slotUnanswered)
	return true
}

// serve waits for the answer and then for the end of the channel.
func (c *client) serve(o *opening) {
	ch, requests, err := c.s.conn.OpenChannel(o.t.channel, o.t.payload)
	if err != nil {
		c.refused(o, err)
		return
	}
	if !c.accept(o, ch) {
		ch.Close()
	}
	for r := range requests {
		r.Reply(false, nil)
	}
	if o.conn != nil {
		o.conn.peerGone()
	}
	c.free(o)
}

// free ends o in the books.
func (c *client) free(o *opening) {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	delete(c.conns, o.conn)
	c.move(&o.slot, slotFree)
}

// accept makes the conn, unless nobody wants it any more.
func (c *client) accept(o *opening, ch ssh.Channel) bool {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	c.answered()
	if o.abandoned {
		return false
	}
	defer close(o.done)
	if c.ending {
		o.err = c.d.failed(errGone)
		c.move(&o.slot, slotUnanswered)
		return false
	}
	o.conn = newConn(c, o, ch)
	c.conns[o.conn] = struct{}{}
	c.move(&o.slot, slotConn)
	return true
}

// refused tells why there is no conn.
func (c *client) refused(o *opening, err error) {
	if refused, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		o.err = refusal(c.d.cfg.Address, o.t, refused)
		c.d.mu.Lock()
		c.answered()
		c.d.mu.Unlock()
	} else {
		// No answer: the connection is of no more use.
		c.kill(lost(err))
		<-c.done
		o.err = c.goneError()
	}
	c.free(o)
	close(o.done)
}
