package grpc

import (
	"context"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"

	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/wire"
)

// rawServer is a server's end played by a test. It has taken the agent.
type rawServer struct {
	t      testing.TB
	stream grpc.ServerStream
	md     metadata.MD // what the agent said
	leave  chan struct{}
	agent  *Agent
	ran    chan error
}

// eitherCodec sends bytes as they are, and packets as such.
type eitherCodec struct{ wire.Codec }

func (c eitherCodec) Marshal(v any) (mem.BufferSlice, error) {
	if b, ok := v.([]byte); ok {
		return plainBytes{}.Marshal(b)
	}
	return c.Codec.Marshal(v)
}

// upstreamHeader takes an agent as upstream's server does.
var upstreamHeader = metadata.Pairs("serverID", "srv", "serverCount", "3")

// newRawServer runs an Agent against a test's own server, which says header, or
// ends the call with refusal if that is not nil.
func newRawServer(t testing.TB, header metadata.MD, refusal error, opts ...func(*Agent)) *rawServer {
	t.Helper()
	far, near := net.Pipe()
	r := &rawServer{t: t, leave: make(chan struct{}), ran: make(chan error, 1)}
	called := make(chan struct{})
	g := grpc.NewServer(
		grpc.ForceServerCodecV2(eitherCodec{}), grpc.WaitForHandlers(true),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 30 * time.Second, PermitWithoutStream: true}),
	)
	g.RegisterService(&grpc.ServiceDesc{
		ServiceName: "AgentService", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{bidi("Connect", func(stream grpc.ServerStream) error {
			r.stream = stream
			r.md, _ = metadata.FromIncomingContext(stream.Context())
			if refusal == nil {
				stream.SendHeader(header)
			}
			close(called)
			if refusal == nil {
				<-r.leave
			}
			return refusal
		})},
	}, r)
	ln := listenOn(far)
	var serving sync.WaitGroup
	serving.Go(func() { g.Serve(ln) })
	a := &Agent{
		Hello: message.Hello{AgentID: "edge", Identifiers: "host=a"},
		Dial:  new(net.Dialer).DialContext, DialTimeout: 5 * time.Second, HelloTimeout: 5 * time.Second, KeepAlive: -1,
	}
	a.NoWindows = !slices.Contains(features(header), featureWindows)
	up := make(chan struct{})
	a.Up = func(message.Reply) { close(up) }
	for _, o := range opts {
		o(a)
	}
	r.agent = a
	a.Start(near)
	go func() {
		err := a.Run(context.Background())
		a.Finish(context.Background())
		r.ran <- err
	}()
	<-called
	if refusal == nil && header.Get("serverID") != nil && a.NoWindows != slices.Contains(features(header), featureWindows) {
		<-up
	}
	t.Cleanup(func() {
		a.Close()
		if r.leave != nil {
			close(r.leave)
		}
		ln.Close()
		g.Stop()
		serving.Wait()
	})
	return r
}

// memoryTarget is an agent's Dial whose targets the test holds.
type memoryTarget struct {
	conns chan net.Conn
}

func newTargets() *memoryTarget { return &memoryTarget{conns: make(chan net.Conn, 100)} }

func (m *memoryTarget) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	m.conns <- far
	return near, nil
}
