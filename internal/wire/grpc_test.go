package wire

import (
	"bytes"
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/sallyport/sallyport/internal/leak"
)

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }
func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}
func (rawCodec) Unmarshal(s mem.BufferSlice, v any) error { *v.(*[]byte) = s.Materialize(); return nil }

// echo serves one method that sends every packet back.
func echo(_ any, s grpc.ServerStream) error {
	for {
		var p Packet
		if err := s.RecvMsg(&p); err != nil {
			return err
		}
		err := s.SendMsg(back(&p))
		p.Free()
		if err != nil {
			return err
		}
	}
}

// back is what to answer p with: a Frame where it fits into one.
func back(p *Packet) any {
	if p.Type != Data || p.Len() > MaxData {
		return &Packet{
			Type: p.Type, ConnectID: p.ConnectID, Random: p.Random, Protocol: p.Protocol, Address: p.Address,
			Timeout: p.Timeout, Error: p.Error, Kind: p.Kind, Hop: p.Hop, Local: p.Local, Remote: p.Remote,
			Payload: p.Payload, Window: p.Window,
		}
	}
	return frameOf(p.ConnectID, bytes.Join(p.Payload, nil))
}

func frameOf(id int64, payload []byte) *Frame {
	f := NewFrame(id, len(payload))
	copy(f.Payload(), payload)
	return f
}

// dialEcho starts a server and a client to it.
func dialEcho(t *testing.T) *grpc.ClientConn {
	t.Helper()
	leak.Check(t)
	ln := bufconn.Listen(64 << 10)
	srv := grpc.NewServer(grpc.ForceServerCodecV2(Codec{}), grpc.MaxRecvMsgSize(MaxMessage))
	srv.RegisterService(&grpc.ServiceDesc{
		ServiceName: "Echo",
		HandlerType: (*any)(nil),
		Streams:     []grpc.StreamDesc{{StreamName: "Echo", Handler: echo, ServerStreams: true, ClientStreams: true}},
	}, nil)
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		srv.Stop()
		<-done
	})
	cc, err := grpc.NewClient("passthrough:echo",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return ln.DialContext(ctx) }),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(MaxMessage)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cc.Close() })
	return cc
}

func open(t *testing.T, cc *grpc.ClientConn, opt grpc.CallOption) grpc.ClientStream {
	t.Helper()
	s, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/Echo/Echo", opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// roundTrip sends a packet and compares what comes back.
func roundTrip(t *testing.T, s grpc.ClientStream, send, want *Packet) {
	t.Helper()
	if err := s.SendMsg(send); err != nil {
		t.Fatal(err)
	}
	send.Free()
	var got Packet
	if err := s.RecvMsg(&got); err != nil {
		t.Fatal(err)
	}
	requireSame(t, &got, want)
	got.Free()
}

// TestThroughGRPC sends packets through real gRPC, both ways, up to the largest
// that a peer may send.
func TestThroughGRPC(t *testing.T) {
	s := open(t, dialEcho(t), grpc.ForceCodecV2(Codec{}))
	for _, g := range golden {
		send := g.p
		want := g.p
		if want.Type == Data {
			want.Error = "" // a Frame has none
		}
		roundTrip(t, s, &send, &want)
	}
	for _, n := range []int{1, 1000, 16 << 10, MaxData - 1, MaxData, 1 << 20, MaxAccepted} {
		want := pattern(n)
		p := &Packet{Type: Data, ConnectID: 7, Payload: [][]byte{want}}
		roundTrip(t, s, p, &Packet{Type: Data, ConnectID: 7, Payload: [][]byte{want}})
	}
}

// TestMalformedFailsItsStreamAlone: the stream gets a status, its neighbour on
// the same connection nothing at all.
func TestMalformedFailsItsStreamAlone(t *testing.T) {
	cc := dialEcho(t)
	neighbour := open(t, cc, grpc.ForceCodecV2(Codec{}))
	for _, tt := range malformed {
		s := open(t, cc, grpc.ForceCodecV2(rawCodec{}))
		if err := s.SendMsg(unhex(tt.bytes)); err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		var back []byte
		err := s.RecvMsg(&back)
		if status.Code(err) != codes.Internal || !bytes.Contains([]byte(err.Error()), []byte("malformed packet")) {
			t.Errorf("%s: %x, %v, want status Internal that says malformed packet", tt.name, back, err)
		}
		roundTrip(t, neighbour, &Packet{Type: Ping, Random: 7}, &Packet{Type: Ping, Random: 7})
	}
}
