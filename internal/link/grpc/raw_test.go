package grpc

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
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
	r := newRawClient(t, near)
	r.stream = r.open(methodConnect, md, opts...)
	r.header, _ = r.stream.Header()
	return r
}

// newRawClient is a rawAgent that has yet to call Connect.
func newRawClient(t testing.TB, near net.Conn) *rawAgent {
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
	return &rawAgent{t: t, client: client}
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
	return &wire.Packet{Type: wire.Data, ConnectID: id, Payload: [][]byte{[]byte(payload)}}
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
	return rawSessionOf(t, anAgent, func(l *Server) {
		for _, o := range opts {
			o(l)
		}
	})
}

// rawSessionOf is rawSession whose Connect call has metadata and options.
func rawSessionOf(t testing.TB, md metadata.MD, tune func(*Server), opts ...grpc.CallOption) (*Session, *rawAgent) {
	t.Helper()
	far, near := net.Pipe()
	up := make(chan *Session, 1)
	l := &Server{Authorize: allow, HelloTimeout: 5 * time.Second, KeepAlive: -1}
	l.Up = func(s *Session, _ message.Hello) { up <- s }
	l.Down = func(*Session, error) {}
	l.NoWindows = !slices.Contains(features(md), featureWindows)
	tune(l)
	served := make(chan error, 1)
	go func() { served <- l.Serve(context.Background(), far) }()
	r := newRawAgent(t, near, md, opts...)
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
