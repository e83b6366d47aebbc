package konnectivity

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/dialer"
)

// ErrClientClosed is the cause of the errors of a Client after Close.
var ErrClientClosed = errors.New("konnectivity: client closed")

// Client is a dialer.Dialer through a remote proxy server, a [Frontend] or
// upstream's.
//
// The addresses are resolved at the far end. Failures there arrive with their
// kind and hop: those of this package's front ends as they were, those of
// upstream's as far as its words tell.
//
// In gRPC mode each conn holds up to 320 KiB that nobody has read. There is no bound
// for all of them: how many there are is up to who dials.
//
// Upstream's protocol lacks some of what a conn promises, and then this does:
//
//   - Over gRPC with an upstream server there is no half-close: the conns have no
//     CloseWrite. Over HTTP CONNECT it takes CloseWrite for Close.
//   - Over gRPC it lets a conn that nobody reads hold up all others of the same
//     agent. So one whose queue of 64 KiB is full, and which takes nothing for
//     10 s, is reset.
//   - Upstream tells a reset of the target as its end, in both modes. So does any
//     HTTP CONNECT server over a unix socket, which knows no reset.
type Client struct {
	cfg      ClientConfig
	reach    *reach
	sessions *sessions // in gRPC mode

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
	life   context.Context // ends with Close
	end    context.CancelCauseFunc
}

var (
	_ dialer.Dialer  = (*Client)(nil)
	_ dialer.Readier = (*Client)(nil)
)

// NewClient checks cfg and returns a Client. It starts nothing and connects to
// nothing.
func NewClient(cfg ClientConfig) (*Client, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	r, err := newReach(&cfg)
	if err != nil {
		return nil, err
	}
	life, end := context.WithCancelCause(context.Background())
	c := &Client{cfg: cfg, reach: r, conns: make(map[net.Conn]struct{}), life: life, end: end}
	if cfg.Mode == ModeGRPC {
		c.sessions = c.newSessions()
	}
	return c, nil
}

// DialContext has the server connect to address, host:port, on the network "tcp",
// the only one there is. ctx bounds the dial up to the target and back.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	begin := c.cfg.Trace.start(address)
	conn, err := c.dial(ctx, network, address)
	return c.cfg.Trace.done(address, begin, conn, err), err
}

func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	err := c.check(network, address)
	if err == nil {
		ctx, cancel := c.bound(ctx)
		defer cancel()
		var conn net.Conn
		if conn, err = c.open(ctx, address); err == nil {
			return conn, nil
		}
		if closed := c.closedErr(); closed != nil {
			err = &dialer.Error{Hop: dialer.HopProxy, Err: closed} // whatever broke in consequence
		}
		err = ended(ctx, err)
	}
	return nil, dialer.Annotate(dialer.Wrap(err, dialer.HopProxy, network, address), "", "", network, address)
}

// open opens a connection to an address that has been checked.
func (c *Client) open(ctx context.Context, address string) (net.Conn, error) {
	if c.sessions != nil {
		return c.dialGRPC(ctx, address)
	}
	return c.dialConnect(ctx, address)
}

// check refuses what cannot be asked for.
func (c *Client) check(network, address string) error {
	if network != "tcp" {
		return net.UnknownNetworkError(network)
	}
	if err := checkTarget(network, address); err != nil {
		return err
	}
	return c.closedErr()
}

// ended returns err, or when ctx has ended, that: whatever broke in consequence,
// it is why. The hop it happened at stays.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	hop := dialer.HopProxy
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		hop = de.Hop
	}
	return &dialer.Error{Hop: hop, Err: dialer.CauseOf(ctx, err)}
}

// bound ends ctx with the dial's timeout and with the client.
func (c *Client) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, give := context.WithCancelCause(ctx)
	stop := context.AfterFunc(c.life, func() { give(ErrClientClosed) })
	if c.cfg.DialTimeout < 0 {
		return ctx, func() { stop(); give(nil) }
	}
	ctx, cancel := context.WithTimeout(ctx, positiveOr(c.cfg.DialTimeout, dialer.DefaultTimeout))
	return ctx, func() { stop(); cancel(); give(nil) }
}

// failedThere is a failure that the server told about, at its own hop unless it
// happened at a later one.
func (c *Client) failedThere(hop string, err *dialer.RemoteError) error {
	told := *err
	if told.Kind == dialer.Canceled {
		told.Kind = dialer.Other // who gave up there was not our caller
	}
	// The words of an error of ours begin with its road, which this error tells
	// itself.
	if _, cause, ok := strings.Cut(told.Text, ": "+hop+": "); ok && hop != "" {
		told.Text = cause
	}
	if hop == "" || hop == dialer.HopProxy {
		hop = dialer.HopProxy + " " + c.reach.address
	}
	return &dialer.Error{Hop: hop, Err: &told}
}

// add takes a conn into the client's care, until remove.
func (c *Client) add(conn net.Conn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClientClosed
	}
	c.conns[conn] = struct{}{}
	return nil
}

func (c *Client) remove(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
}

// Ready returns nil unless the client is closed.
func (c *Client) Ready() error { return c.closedErr() }

func (c *Client) closedErr() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClientClosed
	}
	return nil
}

// Close ends the connection to the server and every connection through it, at
// once. A second Close does the same.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	conns := c.conns
	c.conns = make(map[net.Conn]struct{})
	c.mu.Unlock()
	c.end(ErrClientClosed)
	for conn := range conns {
		conn.Close()
	}
	if c.sessions != nil {
		c.sessions.close()
	}
	return nil
}
