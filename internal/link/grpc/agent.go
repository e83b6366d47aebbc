package grpc

import (
	"context"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/wire"
)

// Agent is the agent's end of one tunnel.
type Agent struct {
	// Hello is what to say first. Version is filled in; Features are added to.
	// Token goes into the authorization header.
	Hello message.Hello
	// Dial connects to targets; it applies the agent's policy. Its errors should
	// be *dialer.Error, so that the far end learns the kind and the hop. It is
	// asked for "tcp", "tcp4" and "tcp6" only.
	Dial link.DialFunc
	// DialTimeout bounds each Dial, whatever the server's caller would allow.
	DialTimeout time.Duration
	// HelloTimeout bounds the exchange of hellos.
	HelloTimeout time.Duration
	// KeepAlive is the time between pings to a server of ours. It is dead when
	// nothing at all has arrived for three of them. Zero means 4 s; negative sends
	// none. Another server is sent HTTP/2 pings, no more often than it tolerates.
	KeepAlive time.Duration
	// MaxConns bounds the connections being served or dialed. Zero means 8192.
	MaxConns int
	// Memory bounds what all connections of the tunnel may hold unread, in bytes.
	// Zero means 64 MiB.
	Memory int
	// NoStreams keeps to packets on one stream, also with our own servers.
	NoStreams bool
	// Opened is told of each connection to a target, and the returned function of
	// its end. Nil is fine.
	Opened func(address string) (ended func())
	// Up is called once the server has taken the agent. Reply.ServerCount is what
	// the server said, 0 when it said nothing that makes sense.
	Up func(message.Reply)
	// ServerDraining is called, on the tunnel's own goroutine, when the server
	// announces that it is about to leave. A server of upstream's never does.
	ServerDraining func()
	// OnPacket and OnError, which may be nil, are told of each packet to or from
	// the server, and of each failure; a failure to receive has a negative type.
	// They must not block.
	OnPacket func(out bool, t wire.Type)
	OnError  func(out bool, t wire.Type, err error)
}

var _ link.Agent = (*Agent)(nil)

// Start prepares a over conn, which it owns from now on and whose TLS handshake
// is done. Run must follow.
func (a *Agent) Start(conn net.Conn) {}

// Run says hello and serves the tunnel until ctx ends, the server goes or Close
// is called. A *link.RefusedError says that the server did not take the agent.
// Connections whose far end has said all it had to say may still be delivering
// that; Finish, which must follow, joins them.
func (a *Agent) Run(ctx context.Context) error { return errUnfinished }

// Finish waits until the connections of a tunnel that has ended have delivered
// what they had received in full, or until ctx ends. It joins everything.
func (a *Agent) Finish(ctx context.Context) {}

// Drain asks the server for no new connections and returns when those that are
// open have ended, or ctx has, or the tunnel has. A tunnel that is not up yet
// has nothing to drain.
func (a *Agent) Drain(ctx context.Context) {}

// Close ends the tunnel at once. Run returns.
func (a *Agent) Close() error { return nil }

// Serving returns the number of connections the agent serves.
func (a *Agent) Serving() int { return 0 }

// RTT returns the tunnel's round trip, zero when not known: only a server of
// ours answers pings.
func (a *Agent) RTT() time.Duration { return 0 }

// Protocol returns link.ProtocolStreams or link.ProtocolPackets.
func (a *Agent) Protocol() string { return link.ProtocolPackets }
