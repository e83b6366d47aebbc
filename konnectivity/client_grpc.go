package konnectivity

import (
	"context"
	"errors"
	"net"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/proxy"
)

// newSessions returns the sessions of a client in gRPC mode.
func (c *Client) newSessions() *sessions {
	traced := &proxy.Client{}
	traced.OnPacket, traced.OnError = c.cfg.Trace.packets()
	return &sessions{
		life: c.life, log: orDiscard(c.cfg.Log).With("server", c.reach.address),
		all: make(map[*clientSession]struct{}),
		connect: func(ctx context.Context) (*clientSession, error) {
			return connectSession(ctx, c.reach, &c.cfg, traced)
		},
	}
}

// dialGRPC opens a connection to address on a stream of its own. A session that
// turns out to be dead is replaced once: the dial cannot have been answered.
func (c *Client) dialGRPC(ctx context.Context, address string) (net.Conn, error) {
	for {
		s, fresh, err := c.sessions.acquire(ctx)
		if err != nil {
			return nil, err
		}
		conn, err := c.openStream(ctx, s, address)
		if err == nil || fresh || ctx.Err() != nil || !proxy.Lost(err) {
			return conn, c.notOpened(err)
		}
		c.sessions.retire(s)
	}
}

// openStream opens a stream of s, which is given back at the stream's end.
func (c *Client) openStream(ctx context.Context, s *clientSession, address string) (net.Conn, error) {
	p := *s.proxy
	reading := false
	p.Go = func(read func()) bool {
		reading = c.sessions.run(func() {
			defer c.sessions.release(s)
			read()
		})
		return reading
	}
	conn, err := p.Dial(ctx, address)
	if !reading {
		c.sessions.release(s)
	}
	if err != nil {
		return nil, err // not conn: it may be nil in an interface that is not
	}
	return conn, nil
}

// notOpened names the hop of a dial that failed behind the front end's door.
func (c *Client) notOpened(err error) error {
	if err == nil {
		return nil
	}
	if no, ok := errors.AsType[*link.Refusal](err); ok {
		return c.failedThere(no.Hop, no.Remote)
	}
	return &dialer.Error{Hop: dialer.HopProxy + " " + c.reach.address, Err: err}
}
