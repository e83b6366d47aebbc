// Package link holds what every tunnel protocol has in common: the [Session] it
// gives to the server, and the errors that tell the agent's fault from the
// target's.
package link

import (
	"context"
	"net"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// ALPN protocol names. The agent listener picks the link by them.
const (
	ALPNYamux = "sallyport/1"
	ALPNGRPC  = "h2"
)

// Session is one live tunnel as the end sees it that opens connections.
type Session interface {
	// Open asks the agent to connect. ctx bounds the dial on both sides. The conn
	// is ready: the agent has connected. A *Refusal says that the agent answered
	// and could not; any other error means the tunnel failed.
	Open(ctx context.Context, network, address string) (net.Conn, error)
	// Load is the number of connections open or being opened.
	Load() int
	// Draining reports whether the agent has asked for no new connections.
	Draining() bool
	// Drain tells the agent that this server is about to leave. ctx bounds the
	// telling.
	Drain(ctx context.Context)
	// Flush waits until the agent has received what was sent, so that a Close
	// right after it cuts nothing off.
	Flush(ctx context.Context) error
	// RTT is the measured round trip, zero when not yet known.
	RTT() time.Duration
	// Close ends the tunnel and every connection in it.
	Close() error
	// Done is closed when the tunnel has ended.
	Done() <-chan struct{}
}

// Refusal is an agent's answer that it could not connect.
type Refusal struct {
	Hop    string // where it failed, a hop of package dialer
	Remote *dialer.RemoteError
}

// Error returns the agent's words.
func (r *Refusal) Error() string { return r.Remote.Error() }

// Unwrap returns the remote error.
func (r *Refusal) Unwrap() error { return r.Remote }

// DialFunc connects to a target on behalf of a server.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)
