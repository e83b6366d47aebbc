package grpc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"

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
	// HelloTimeout bounds the time until the agent has said hello.
	HelloTimeout time.Duration
	// KeepAlive is the time between pings. The agent is dead when nothing at all
	// has arrived for three of them. Zero means 4 s; negative sends none.
	KeepAlive time.Duration
	// MaxConns bounds the connections open or being opened. Zero means 8192.
	MaxConns int
	// Memory bounds what all connections of the tunnel may hold unread, in bytes:
	// what their windows may come to, where they have windows. Zero means 64 MiB.
	Memory int
	// NoWindows gives connections no windows, also with our own agents: HTTP/2's are
	// for one upstream's program at the other end.
	NoWindows bool
	// OnPacket and OnError, which may be nil, are told of each packet to or from
	// the agent, and of each failure; a failure to receive has a negative type.
	// They must not block.
	OnPacket func(out bool, t wire.Type)
	OnError  func(out bool, t wire.Type, err error)
}

// Bounds.
const (
	defaultMaxConns = 8192
	defaultMemory   = 64 << 20
	// patience is how long one consumer on a shared stream may hold up the others.
	patience = time.Second
	// roadWindow is HTTP/2's window where connections have windows of their own: so
	// large that it holds nobody up on any road, since what comes is taken off the
	// stream at once.
	roadWindow = 32 << 20
	// maxStrange is how much is read of an agent before it is taken, which needs its
	// hello alone: with HTTP/2's window anybody could leave 32 MiB with us while
	// Authorize asks who it is.
	maxStrange = 256 << 10
	// readBuffer is none: TLS has the record at hand that a frame is read from, and
	// whatever lies between costs one more copy.
	readBuffer = 0
	// writeBuffer is four TLS records. An idle tunnel holds none.
	writeBuffer = 64 << 10
	// sendQuota is how much gRPC takes of one stream before SendMsg blocks.
	sendQuota = 64 << 10
	// maxHeader bounds the metadata of a call.
	maxHeader = 64 << 10
	// maxMessage bounds a packet between our own ends, which send 32 KiB of DATA at
	// most. gRPC holds what has come of a message that is not complete.
	maxMessage = 64 << 10
	// maxStreams is one, and some that are about to be refused.
	maxStreams = 16
	// lingerTime is how long a connection is held for its peer to read why the
	// tunnel has ended, and hang up.
	lingerTime = 2 * time.Second
)

// newGRPC returns the gRPC server of one agent's connection.
func (l *Server) newGRPC(s *Session) *grpc.Server {
	opts := []grpc.ServerOption{
		grpc.Creds(finished{}),
		grpc.ForceServerCodecV2(wire.Codec{}),
		grpc.MaxRecvMsgSize(l.maxMessage()),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.MaxConcurrentStreams(maxStreams),
		experimental.BufferPool(buffers{}),
		grpc.ReadBufferSize(readBuffer),
		grpc.WriteBufferSize(writeBuffer),
		grpc.ConnectionTimeout(l.HelloTimeout),
		grpc.InTapHandle(s.admit),
		grpc.WaitForHandlers(true),
		// Agents may ping as they please, with connections or without.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Millisecond, PermitWithoutStream: true}),
	}
	if !l.NoWindows {
		opts = append(opts, grpc.StaticStreamWindowSize(roadWindow), grpc.StaticConnWindowSize(roadWindow))
	}
	if every := keepAlive(l.KeepAlive); every > 0 {
		opts = append(opts, grpc.KeepaliveParams(keepalive.ServerParameters{Time: every, Timeout: 2 * every}))
	}
	g := grpc.NewServer(opts...)
	g.RegisterService(&grpc.ServiceDesc{
		ServiceName: "AgentService", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{bidi("Connect", s.serveConnect)},
	}, s)
	return g
}

func bidi(name string, serve func(grpc.ServerStream) error) grpc.StreamDesc {
	return grpc.StreamDesc{
		StreamName: name, ServerStreams: true, ClientStreams: true,
		Handler: func(_ any, stream grpc.ServerStream) error { return serve(stream) },
	}
}

// Serve serves conn, which it owns and whose TLS handshake is done, until ctx
// ends, the agent goes or the session is closed. It joins everything it started
// and returns why it ended.
func (l *Server) Serve(ctx context.Context, conn net.Conn) error {
	s := newSession(l, conn)
	g, ln := l.newGRPC(s), listenOn(s.conn)
	accepting := make(chan struct{})
	go func() {
		defer close(accepting)
		g.Serve(ln)
	}()
	s.await(ctx)
	s.conn.Close() // or else a handshake that goes on would hold up Stop
	ln.Close()
	g.Stop()
	<-accepting
	return s.why()
}

// await returns when there is nothing left to serve.
func (s *Session) await(ctx context.Context) {
	hello := time.NewTimer(s.l.HelloTimeout)
	defer hello.Stop()
	select {
	case <-s.connected:
	case <-s.conn.gone:
		return
	case <-s.closing:
		return
	case <-ctx.Done():
		s.fail(context.Cause(ctx))
		return
	case <-hello.C:
		s.fail(errors.New("hello: the agent did not call Connect in time"))
		return
	}
	select {
	case <-s.served:
	case <-s.conn.gone:
		return
	case <-s.closing:
		return
	case <-ctx.Done():
		s.fail(context.Cause(ctx))
		return
	}
	// The agent still has to read how it ended.
	linger := time.NewTimer(min(lingerTime, s.l.HelloTimeout))
	defer linger.Stop()
	select {
	case <-linger.C:
	case <-s.conn.gone:
	case <-s.closing:
	case <-ctx.Done():
	}
}

// maxMessage is larger for upstream's agents, which send what they like.
func (l *Server) maxMessage() int {
	if l.NoWindows {
		return wire.MaxMessage
	}
	return maxMessage
}

func (l *Server) maxConns() int { return cmp.Or(max(l.MaxConns, 0), defaultMaxConns) }
func (l *Server) memory() int   { return cmp.Or(max(l.Memory, 0), defaultMemory) }

// errFull is what an Open fails with beyond MaxConns. Connections that nobody
// closes are the usual reason.
func (l *Server) errFull() error {
	return fmt.Errorf("the tunnel carries as many connections as it may, %d; are some never closed?", l.maxConns())
}

// errMemory is what an Open fails with that finds no memory for a window.
func (l *Server) errMemory() error {
	return fmt.Errorf("the windows of the tunnel's connections take up its memory, %d bytes; do many stall?", l.memory())
}
