// Package link holds what every tunnel protocol has in common: the [Session] it
// gives to the server, and the errors that tell the agent's fault from the
// target's.
package link

import (
	"context"
	"net"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link/message"
)

// ALPN protocol names. The agent listener picks the link by them.
const (
	ALPNYamux = "sallyport/1"
	// ALPNWindows is HTTP/2 between our own ends, with windows for each connection.
	// Both have to know before the first byte, for HTTP/2's windows are others then.
	ALPNWindows = "sallyport-h2/1"
	ALPNGRPC    = "h2" // as upstream speaks it
)

// MaxAddress bounds a destination, host:port, in bytes. The longest there is, a
// name of 253 bytes or an address with its zone, is well below.
const MaxAddress = 300

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
	// Protocol names what the tunnel speaks, one of the Protocol constants.
	Protocol() string
}

// What a tunnel speaks, as its status shows it.
const (
	ProtocolYamux   = "yamux"
	ProtocolWindows = "grpc"         // packets on one gRPC stream, with windows for each connection
	ProtocolPackets = "konnectivity" // the same without, as upstream has it
)

// Agent is the agent's end of one tunnel. It is started once.
type Agent interface {
	// Start prepares the tunnel over conn, which it owns from now on. Run must
	// follow.
	Start(conn net.Conn)
	// Run says hello and serves the tunnel until ctx ends, the server goes or Close
	// is called. A *RefusedError says that the server did not take the agent.
	// Finish must follow.
	Run(ctx context.Context) error
	// Finish waits until the connections of a tunnel that has ended have delivered
	// what they had received in full, or until ctx ends. It joins everything.
	Finish(ctx context.Context)
	// Drain asks the server for no new connections and returns when those that are
	// open have ended, or ctx has, or the tunnel has.
	Drain(ctx context.Context)
	// Close ends the tunnel at once. Run returns.
	Close() error
	// Serving returns the number of connections the agent serves.
	Serving() int
	// RTT is the measured round trip, zero when not yet known.
	RTT() time.Duration
	// Protocol names what the tunnel speaks, one of the Protocol constants. It is
	// settled by the time the server has taken the agent.
	Protocol() string
}

// RefusedError is a server's refusal of an agent.
type RefusedError struct{ Reply message.Reply }

// Error returns the server's words.
func (e *RefusedError) Error() string {
	if e.Reply.Text == "" {
		return "server refused the agent: " + e.Reply.Status.String()
	}
	return "server refused the agent: " + e.Reply.Text
}

// Is makes a denial dialer.ErrDenied, and so the lack of a good credential.
func (e *RefusedError) Is(target error) bool {
	denied := e.Reply.Status == message.Denied || e.Reply.Status == message.Unauthenticated
	return target == dialer.ErrDenied && denied
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
