package konnectivity

import (
	"context"
	"math"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/link/proxy"
	"github.com/sallyport/sallyport/internal/wire"
)

// minClientPing is how often a client may ping. Upstream's do so as often as they
// are told to, and none may be thrown out for it.
const minClientPing = 5 * time.Second

// grpcProtocol serves the gRPC clients of one listener by a gRPC server of its
// own: the codec is a server's and not a service's.
type grpcProtocol struct {
	f      *Frontend
	server *grpc.Server
	conns  *handover
	work   sync.WaitGroup // the server, and what outlives its streams
	down   context.CancelFunc
	leave  context.CancelFunc // for the streams that have not asked for anything
}

// newGRPCProtocol returns a protocol that serves until ctx ends or drain and the
// end of its clients. It has to be joined.
func newGRPCProtocol(ctx context.Context, f *Frontend, cuts *cuts) *grpcProtocol {
	serving, down := context.WithCancel(ctx)
	leaving, leave := context.WithCancel(serving)
	p := &grpcProtocol{f: f, conns: newHandover(), down: down, leave: leave}
	p.server = grpc.NewServer(f.grpcOptions()...)
	s := &proxy.Server{Work: &p.work, FirstWord: f.cfg.handshakeTimeout(), Leaving: leaving}
	s.Dial = func(dialing context.Context, network, address string) (net.Conn, func(), error) {
		return f.openTarget(dialing, cuts, network, address)
	}
	if t := f.cfg.Trace; t != nil {
		s.Sent = t.WriteDone
		s.OnPacket, s.OnError = packetHooks(t.Packet, t.PacketError, segmentToClient, segmentFromClient)
	}
	p.server.RegisterService(proxy.Service(func(stream grpc.ServerStream) error {
		if err := f.enterStream(); err != nil {
			return status.Error(codes.ResourceExhausted, err.Error())
		}
		defer f.leaveStream()
		defer f.cfg.Trace.clientUp()()
		return s.Serve(stream)
	}), nil)
	p.work.Go(func() { p.server.Serve(p.conns) })
	p.work.Go(func() { <-serving.Done(); p.server.Stop() })
	return p
}

func (f *Frontend) grpcOptions() []grpc.ServerOption {
	ping := positiveOr(f.cfg.KeepAlive, time.Minute)
	if f.cfg.KeepAlive < 0 {
		ping = math.MaxInt64
	}
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(wire.Codec{}),
		grpc.MaxRecvMsgSize(wire.MaxMessage),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.MaxConcurrentStreams(uint32(min(f.cfg.maxConns(), math.MaxUint32))),
		grpc.ConnectionTimeout(f.cfg.handshakeTimeout()),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: ping, Timeout: pingTimeout}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minClientPing, PermitWithoutStream: true}),
		grpc.InitialWindowSize(streamWindow), grpc.InitialConnWindowSize(sessionWindow),
		grpc.WaitForHandlers(true),
	}
}

// serve hands conn to the gRPC server and waits until it has closed it.
func (p *grpcProtocol) serve(ctx context.Context, conn net.Conn, settled func()) (rest func()) {
	if err := p.f.enterSocket(); err != nil {
		p.f.log.Warn("client refused", "remote", conn.RemoteAddr().String(), "err", err)
		return nil
	}
	return func() {
		defer conn.Close()
		defer p.f.leaveSocket()
		h := &handedOver{Conn: conn, closed: make(chan struct{}), settled: settled}
		select {
		case p.conns.next <- h:
			<-h.closed
		case <-p.conns.closed:
		case <-ctx.Done():
		}
	}
}

// drain tells the clients to open no more streams, and ends those on which
// nothing has been asked for.
func (p *grpcProtocol) drain() {
	p.leave()
	p.work.Go(p.server.GracefulStop)
}

func (p *grpcProtocol) join() {
	p.down()
	p.work.Wait()
}

// handover is a listener of conns that are ready to be served.
type handover struct {
	next   chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandover() *handover {
	return &handover{next: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.next:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handover) Addr() net.Addr { return &net.UnixAddr{Net: "handover"} }

// handedOver is a conn in gRPC's hands.
type handedOver struct {
	net.Conn
	settled func()
	heard   int // bytes of the preface
	once    sync.Once
	closed  chan struct{}
}

// preface is how much a client of HTTP/2 has said before it can ask for anything:
// its magic words, and the head of its settings.
const preface = 24 + 9

// Read reads, and notes that the client has turned out to be one. One goroutine
// reads.
func (c *handedOver) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.heard < preface {
		if c.heard += n; c.heard >= preface {
			c.settled()
		}
	}
	return n, err
}

// Close closes the conn and lets go of it.
func (c *handedOver) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { close(c.closed) })
	return err
}
