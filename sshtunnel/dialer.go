package sshtunnel

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/backoff"
)

// Dialer dials through one SSH server. It is a [dialer.Dialer] and safe for
// concurrent use. [New] makes one.
//
// It has at most one client that takes dials. A client most of whose
// Config.MaxConns channels have been given up without an answer of the server
// takes none any more; it ends with its last conn, and the next dial makes
// another. Two such clients are kept at most.
type Dialer struct {
	cfg  Config
	log  logger
	life context.Context // ends with Close
	end  context.CancelCauseFunc
	wg   sync.WaitGroup // clients and attempts

	mu      sync.Mutex // guards what follows, and the counters of the clients
	closed  bool
	client  *client   // takes dials; nil when there is none
	worn    []*client // take none any more
	attempt *attempt  // nil when none is under way
	backoff backoff.Backoff
	retryAt time.Time
	last    *dialer.Error // why the last handshake failed
	lastErr error         // that, or why the last client ended
	over    func()        // see retire
}

// logger is what a nil slog.Logger is silent through.
type logger = *slog.Logger

var (
	_ dialer.Dialer  = (*Dialer)(nil)
	_ dialer.Readier = (*Dialer)(nil)
)

// New checks cfg and returns a Dialer. It starts nothing and connects to
// nothing. The error says which field of cfg is missing or wrong.
func New(cfg Config) (*Dialer, error) {
	cfg, err := cfg.check()
	if err != nil {
		return nil, err
	}
	d := &Dialer{cfg: cfg, log: cfg.Log}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	d.log = d.log.With("server", cfg.Address)
	d.life, d.end = context.WithCancelCause(context.Background())
	d.backoff.Policy = backoff.Policy{Base: cfg.Backoff, Max: cfg.MaxBackoff}
	return d, nil
}

// DialContext has the server connect to address: host:port on "tcp", a literal
// address and a port on "tcp4" and "tcp6", the absolute path of a socket on
// "unix". ctx bounds the dial and nothing else.
//
// Errors are [*dialer.Error]. Their hop is "ssh" and the server's address for
// what failed on the way to the server and in the server, and [dialer.HopTarget]
// for what the server says about the target. After an error at hop ssh another
// route may be tried, unless it is [dialer.ErrDenied]: the server forbids the
// destination. Where a policy or a bastion forbids the way to the server, that is
// no ErrDenied but a way that failed.
//
// The conn has CloseWrite and Reset methods. What has been written before Close
// is sent after it, for at most 30 s.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	begin := time.Now()
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		if dialer.KindOf(err) == dialer.Canceled && ctx.Err() == nil && d.life.Err() != nil {
			err = d.failed(ErrClosed) // it was not the caller who gave up
		}
		err = dialer.Annotate(dialer.Wrap(err, d.hop(), network, address), "", "", network, address)
	}
	d.cfg.Trace.dialDone(d.cfg.server(), network, address, begin, err)
	return conn, err
}

// tries is how many clients a dial asks when they end while it asks. A dead
// server is often noticed by the first dial only.
const tries = 3

func (d *Dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	t, err := newTarget(network, address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := d.bound(ctx)
	defer cancel()
	for range tries {
		var c *client
		if c, err = d.ready(ctx); err != nil {
			return nil, d.ended(ctx, err)
		}
		var conn net.Conn
		if conn, err = c.open(ctx, t); err == nil {
			return conn, nil
		}
		if !errors.Is(err, errGone) || errors.Is(err, ErrUnresponsive) || ctx.Err() != nil {
			break // answered, or of no use to ask again
		}
	}
	return nil, d.ended(ctx, err)
}

// ended returns err, or when ctx has ended, that: whatever broke in consequence,
// it is why.
func (d *Dialer) ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	hop := d.hop()
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		hop = de.Hop
	}
	return &dialer.Error{Hop: hop, Err: dialer.CauseOf(ctx, err)}
}

// bound ends ctx with the dial's timeout and with the dialer.
func (d *Dialer) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, give := context.WithCancelCause(ctx)
	stop := context.AfterFunc(d.life, func() { give(ErrClosed) })
	if d.cfg.DialTimeout < 0 {
		return ctx, func() { stop(); give(nil) }
	}
	ctx, cancel := context.WithTimeout(ctx, d.cfg.DialTimeout)
	return ctx, func() { stop(); cancel(); give(nil) }
}

// Ready returns nil when a dial can be tried: the client is there, or nothing
// is known against it. It is the last handshake's error as long as the server is
// left alone after it. Without a client it also asks Config.Via.
func (d *Dialer) Ready() error {
	d.mu.Lock()
	closed, connected, waiting := d.closed, d.client != nil, d.waiting(time.Now())
	d.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case connected:
		return nil
	case waiting != nil:
		return waiting
	}
	return dialer.Ready(d.cfg.Via)
}

// Close ends the client and every conn through it, at once, and waits for its
// goroutines. A second Close does the same.
func (d *Dialer) Close() error {
	d.mu.Lock()
	d.closed = true
	clients := d.worn
	if d.client != nil {
		clients = append(clients, d.client)
	}
	d.client, d.worn = nil, nil
	d.mu.Unlock()
	d.end(ErrClosed)
	for _, c := range clients {
		c.close()
	}
	d.wg.Wait()
	return nil
}
