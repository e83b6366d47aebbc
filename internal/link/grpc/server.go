package grpc

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/wire"
)

// Server is the server's end of one tunnel, before and after the hello.
type Server struct {
	// Authorize decides about a hello. A Reply with a Status refuses it.
	Authorize func(ctx context.Context, h message.Hello) message.Reply
	// Up is called once the agent has been taken; Down once its tunnel has ended,
	// with the reason. Down is called only after Up.
	Up   func(s *Session, h message.Hello)
	Down func(s *Session, err error)
	// HelloTimeout bounds the time until the agent has said hello, and the first
	// word on each stream it opens.
	HelloTimeout time.Duration
	// KeepAlive is the time between pings. The agent is dead when nothing at all
	// has arrived for three of them. Zero means 4 s; negative sends none.
	KeepAlive time.Duration
	// MaxConns bounds the connections open or being opened. Zero means 8192.
	MaxConns int
	// Memory bounds what all connections of the tunnel may hold unread, in bytes.
	// Zero means 64 MiB.
	Memory int
	// NoStreams keeps to packets on one stream, also with our own agents.
	NoStreams bool
	// OnPacket and OnError, which may be nil, are told of each packet to or from
	// the agent, and of each failure; a failure to receive has a negative type.
	// They must not block.
	OnPacket func(out bool, t wire.Type)
	OnError  func(out bool, t wire.Type, err error)
}

// Session is one agent's tunnel. It is a link.Session.
type Session struct{}

var _ link.Session = (*Session)(nil)

var errUnfinished = errors.New("grpc link: not built yet")

// Serve serves conn, which it owns and whose TLS handshake is done, until ctx
// ends, the agent goes or the session is closed. It joins everything it started
// and returns why it ended.
func (l *Server) Serve(ctx context.Context, conn net.Conn) error { return errUnfinished }

// Open implements link.Session.
func (s *Session) Open(ctx context.Context, network, address string) (net.Conn, error) {
	return nil, errUnfinished
}

// Load implements link.Session.
func (s *Session) Load() int { return 0 }

// Draining implements link.Session.
func (s *Session) Draining() bool { return false }

// Drain implements link.Session.
func (s *Session) Drain(ctx context.Context) {}

// Flush implements link.Session.
func (s *Session) Flush(ctx context.Context) error { return nil }

// RTT implements link.Session. It is known only between our own ends.
func (s *Session) RTT() time.Duration { return 0 }

// Close implements link.Session.
func (s *Session) Close() error { return nil }

// Done implements link.Session.
func (s *Session) Done() <-chan struct{} { return nil }

// Protocol implements link.Session: link.ProtocolStreams or link.ProtocolPackets.
func (s *Session) Protocol() string { return link.ProtocolPackets }
