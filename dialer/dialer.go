package dialer

import (
	"context"
	"net"
	"time"
)

// DefaultTimeout bounds a dial where nobody chose a bound.
const DefaultTimeout = 30 * time.Second

// A Dialer opens connections. The package documentation says what it promises;
// dialertest checks it.
//
// Implementations are safe for concurrent use. The caller owns the returned
// conn and closes it; on error the conn is nil.
type Dialer interface {
	// DialContext connects to address on network. The networks are those of
	// net.Dial that make a stream: "tcp", "tcp4", "tcp6", and "unix" where an
	// implementation says so. ctx bounds the dial, not the connection.
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Func is a function as a [Dialer].
type Func func(ctx context.Context, network, address string) (net.Conn, error)

// DialContext calls f.
func (f Func) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return f(ctx, network, address)
}

// A CloseWriter is a conn that can end its own direction and still read, as
// *net.TCPConn and *tls.Conn can. After CloseWrite the far side reads all bytes
// written before and then io.EOF.
type CloseWriter interface {
	CloseWrite() error
}

// A Readier can say whether a dial has a chance now. A Dialer without it is
// taken to be always ready.
type Readier interface {
	// Ready returns nil when the next dial can be tried, or the reason why it
	// would fail. It is quick: it looks at what is known and dials nothing.
	Ready() error
}

// WithTimeout returns a Dialer that gives each dial of d at most timeout. Zero
// means [DefaultTimeout], a negative timeout means no bound of its own; the
// caller's context counts in any case.
func WithTimeout(d Dialer, timeout time.Duration) Dialer {
	switch {
	case timeout < 0:
		return d
	case timeout == 0:
		timeout = DefaultTimeout
	}
	return &timed{d: d, timeout: timeout}
}

type timed struct {
	d       Dialer
	timeout time.Duration
}

func (t *timed) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	// Cancelling on return is safe: a Dialer's context ends with the dial.
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	return t.d.DialContext(ctx, network, address)
}

// Ready asks the wrapped Dialer, so that a bound does not hide readiness.
func (t *timed) Ready() error { return Ready(t.d) }

// Describe asks the wrapped Dialer, so that a bound does not hide the route.
func (t *timed) Describe(ctx context.Context, network, address string) Attempt {
	return Describe(ctx, t.d, network, address)
}

// Ready reports whether d can dial now: the answer of its [Readier], or nil
// where d is none.
func Ready(d Dialer) error {
	if r, ok := d.(Readier); ok {
		return r.Ready()
	}
	return nil
}
