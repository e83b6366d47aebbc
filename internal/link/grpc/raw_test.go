package grpc

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"

	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/wire"
)

// rawAgent is an agent's end played by a test, packet by packet.
type rawAgent struct {
	t      testing.TB
	client *grpc.ClientConn
	stream grpc.ClientStream
	header metadata.MD
}

// anAgent is the metadata of an agent of upstream's.
var anAgent = metadata.Pairs("agentID", "edge", "agentIdentifiers", "host=a")

// newRawAgent calls Connect on a Server. It returns when the server has answered.
func newRawAgent(t testing.TB, near net.Conn, md metadata.MD, opts ...grpc.CallOption) *rawAgent {
	t.Helper()
	client, err := grpc.NewClient("passthrough:///server",
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) { return near, nil }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{})),
		grpc.WithNoProxy(),
	)
	if err != nil {
		t.Fatal(err)
	}
	r := &rawAgent{t: t, client: client}
	r.stream = r.open(methodConnect, md, opts...)
	r.header, _ = r.stream.Header()
	return r
}

func (r *rawAgent) open(method string, md metadata.MD, opts ...grpc.CallOption) grpc.ClientStream {
	r.t.Helper()
	stream, err := r.client.NewStream(metadata.NewOutgoingContext(context.Background(), md), &bothWays, method, opts...)
	if err != nil {
		r.t.Fatal(err)
	}
	return stream
}

// messages is either end of a gRPC stream.
type messages interface {
	SendMsg(any) error
	RecvMsg(any) error
}

func send(t testing.TB, s messages, p *wire.Packet) {
	t.Helper()
	if err := s.SendMsg(p); err != nil {
		t.Fatalf("send %v: %v", p.Type, err)
	}
}

// expect receives a packet of the given type.
func expect(t testing.TB, s messages, want wire.Type) *wire.Packet {
	t.Helper()
	p := new(wire.Packet)
	if err := s.RecvMsg(p); err != nil {
		t.Fatalf("want %v: %v", want, err)
	}
	if p.Type != want {
		t.Fatalf("got %v %+v, want %v", p.Type, p, want)
	}
	return p
}

func dataOf(id int64, payload string) *wire.Packet {
	p, buf := wire.NewData(id, len(payload))
	copy(buf, payload)
	return p
}

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
	if refusal == nil && header.Get("serverID") != nil {
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

// inMemory brings a tunnel up whose targets the test holds. Only for synctest
// bubbles.
func inMemory(t testing.TB, opts ...options) (*tunnel, *memoryTarget) {
	t.Helper()
	far, near := net.Pipe()
	targets := newTargets()
	opts = append([]options{func(l *Server, a *Agent) { a.Dial = targets.dial }}, opts...)
	return connect(t, far, near, opts...), targets
}

// rawSession runs a Server against a test's own agent. Only for synctest bubbles.
func rawSession(t testing.TB, opts ...func(*Server)) (*Session, *rawAgent) {
	t.Helper()
	return rawSessionOf(t, func(l *Server) {
		for _, o := range opts {
			o(l)
		}
	})
}

// rawSessionOf is rawSession whose Connect call has options.
func rawSessionOf(t testing.TB, tune func(*Server), opts ...grpc.CallOption) (*Session, *rawAgent) {
	t.Helper()
	far, near := net.Pipe()
	up := make(chan *Session, 1)
	l := &Server{Authorize: allow, HelloTimeout: 5 * time.Second, KeepAlive: -1}
	l.Up = func(s *Session, _ message.Hello) { up <- s }
	l.Down = func(*Session, error) {}
	tune(l)
	served := make(chan error, 1)
	go func() { served <- l.Serve(context.Background(), far) }()
	r := newRawAgent(t, near, anAgent, opts...)
	s := <-up
	t.Cleanup(func() {
		r.client.Close()
		s.Close()
		<-served
	})
	return s, r
}

// opened is what an Open that a test does not wait for returns.
type opened struct {
	conn net.Conn
	err  error
}

func openLater(ctx context.Context, s *Session, address string) <-chan opened {
	ch := make(chan opened, 1)
	go func() {
		conn, err := s.Open(ctx, "tcp", address)
		ch <- opened{conn, err}
	}()
	return ch
}

// openVia dials through a test's own agent, which answers with id.
func openVia(t testing.TB, s *Session, r *rawAgent, id int64) net.Conn {
	t.Helper()
	ch := openLater(t.Context(), s, "x:1")
	req := expect(t, r.stream, wire.DialReq)
	send(t, r.stream, &wire.Packet{Type: wire.DialRsp, Random: req.Random, ConnectID: id})
	o := <-ch
	if o.err != nil {
		t.Fatal(o.err)
	}
	return o.conn
}
