package konnectivity

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link/proxy"
	"github.com/sallyport/sallyport/internal/wire"
)

// stock is a Proxy stream as upstream's client has it: packets and nothing else.
type stock struct {
	t testing.TB
	grpc.ClientStream
	cancel context.CancelFunc
}

// grpcConn connects to fr as its clients do.
func (fr *front) grpcConn() *grpc.ClientConn {
	fr.t.Helper()
	cfg := fr.clientConfig()
	r, err := newReach(&cfg)
	if err != nil {
		fr.t.Fatal(err)
	}
	s, err := connectSession(context.Background(), r, &cfg, new(proxy.Client))
	if err != nil {
		fr.t.Fatal(err)
	}
	fr.t.Cleanup(func() { s.cc.Close() })
	return s.cc
}

func openStock(t testing.TB, cc *grpc.ClientConn, opts ...grpc.CallOption) *stock {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	t.Cleanup(cancel)
	desc := &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}
	stream, err := cc.NewStream(ctx, desc, "/ProxyService/Proxy", opts...)
	if err != nil {
		t.Fatal(err)
	}
	return &stock{t, stream, cancel}
}

func (s *stock) send(p wire.Packet) {
	s.t.Helper()
	if err := s.SendMsg(&p); err != nil && err != io.EOF {
		s.t.Fatalf("sending %v: %v", p.Type, err)
	}
}

func (s *stock) recv() (*wire.Packet, error) {
	p := new(wire.Packet)
	err := s.RecvMsg(p)
	return p, err
}

// want receives a packet of the given type.
func (s *stock) want(typ wire.Type) *wire.Packet {
	s.t.Helper()
	p, err := s.recv()
	if err != nil || p.Type != typ {
		s.t.Fatalf("received %v (%q), %v; want %v", p.Type, p.Error, err, typ)
	}
	return p
}

// wantEnd receives nothing more but the end, with the given status.
func (s *stock) wantEnd(code codes.Code) {
	s.t.Helper()
	for {
		p, err := s.recv()
		if err == nil {
			s.t.Logf("then %v %q", p.Type, p.Error)
			continue
		}
		if err == io.EOF {
			err = nil
		}
		if got := status.Code(err); got != code {
			s.t.Fatalf("the stream ended with %v (%v), want %v", got, err, code)
		}
		return
	}
}

// dial opens a connection, and returns its id.
func (s *stock) dial(address string) int64 {
	s.t.Helper()
	s.send(wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: address, Random: 77})
	p := s.want(wire.DialRsp)
	if p.Error != "" || p.Random != 77 || p.ConnectID == 0 {
		s.t.Fatalf("DIAL_RSP %+v", p)
	}
	return p.ConnectID
}

func data(id int64, text string) wire.Packet {
	return wire.Packet{Type: wire.Data, ConnectID: id, Payload: [][]byte{[]byte(text)}}
}

// text is the payload of a packet.
func text(p *wire.Packet) string {
	var b strings.Builder
	for _, part := range p.Payload {
		b.Write(part)
	}
	return b.String()
}

// TestGRPCStockClient: a client that knows nothing of us gets what upstream's
// server gives, and its data where it sent it, before its close is answered.
func TestGRPCStockClient(t *testing.T) {
	got := make(chan string, 1)
	address := target(t, func(c net.Conn) {
		io.WriteString(c, "welcome")
		b, _ := io.ReadAll(c)
		got <- string(b)
	})
	s := openStock(t, newFront(t, ModeGRPC, overUnix, nil).grpcConn())
	id := s.dial(address)
	if md, err := s.Header(); err != nil || len(md.Get("sallyport-features")) > 0 {
		t.Errorf("a stock client is offered %v, %v", md, err)
	}
	if p := s.want(wire.Data); text(p) != "welcome" || p.ConnectID != id {
		t.Errorf("received %q for %d", text(p), p.ConnectID)
	}
	s.send(wire.Packet{Type: 42}) // of a protocol to come
	s.send(data(id, "last words"))
	s.send(wire.Packet{Type: wire.CloseReq, ConnectID: id})
	if p := s.want(wire.CloseRsp); p.Error != "" || p.ConnectID != id {
		t.Errorf("CLOSE_RSP %+v", p)
	}
	if text := within(t, "the target to be told", got); text != "last words" {
		t.Errorf("the target got %q", text)
	}
	s.wantEnd(codes.OK)
}

// TestGRPCStockClientEnds: the target's end and its reset are two things.
func TestGRPCStockClientEnds(t *testing.T) {
	fr := newFront(t, ModeGRPC, overUnix, nil)
	for name, tt := range map[string]struct {
		end   func(net.Conn)
		words bool
	}{
		"close": {func(c net.Conn) {}, false},
		"reset": {func(c net.Conn) { c.(*net.TCPConn).SetLinger(0) }, true},
	} {
		address := target(t, func(c net.Conn) {
			io.ReadFull(c, make([]byte, 1))
			tt.end(c)
		})
		s := openStock(t, fr.grpcConn())
		id := s.dial(address)
		s.send(data(id, "x"))
		if p := s.want(wire.CloseRsp); (p.Error != "") != tt.words {
			t.Errorf("%s: CLOSE_RSP says %q", name, p.Error)
		}
		s.wantEnd(codes.OK)
	}
}

// TestGRPCRefusals: a dial that failed is answered in the words that upstream's
// client and its callers know, and the stream ends.
func TestGRPCRefusals(t *testing.T) {
	for _, tt := range []struct {
		err   error
		words string
	}{
		{&dialer.Error{Hop: dialer.HopAgent, Err: dialer.ErrNoRoute}, "No agent available"},
		{&dialer.Error{Hop: dialer.HopTarget, Err: &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}}, "connection refused"},
		{&dialer.Error{Hop: dialer.HopTarget, Err: &dialer.RemoteError{Kind: dialer.Refused}}, "refused"},
		{&dialer.Error{Hop: dialer.HopTarget, Err: context.DeadlineExceeded}, "deadline exceeded"},
		{errors.New(strings.Repeat("long ", 1000)), "long"},
	} {
		fr := newFront(t, ModeGRPC, overUnix, func(cfg *FrontendConfig) { cfg.Dialer = failing(tt.err) })
		s := openStock(t, fr.grpcConn())
		s.send(wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: "node-1:1", Random: 5})
		p := s.want(wire.DialRsp)
		if p.Random != 5 || p.ConnectID != 0 || !strings.Contains(p.Error, tt.words) || len(p.Error) > 1<<10 || dialer.Kind(p.Kind) != dialer.KindOf(tt.err) {
			t.Errorf("%.60v: %+v", tt.err, p)
		}
		s.wantEnd(codes.OK)
	}
}

// TestGRPCForeignNetworks: what is no TCP is refused before any Dialer could take
// it for a socket of its own.
func TestGRPCForeignNetworks(t *testing.T) {
	h := newHanging()
	fr := newFront(t, ModeGRPC, overUnix, func(cfg *FrontendConfig) { cfg.Dialer = h })
	for _, d := range []struct{ network, address string }{
		{"udp", "127.0.0.1:53"}, {"unix", "/run/containerd/containerd.sock"}, {"", "127.0.0.1:1"},
		{"tcp", "/run/x.sock"}, {"tcp", ""}, {"tcp", ":1"}, {"ip4:1", "127.0.0.1"},
	} {
		s := openStock(t, fr.grpcConn())
		s.send(wire.Packet{Type: wire.DialReq, Protocol: d.network, Address: d.address, Random: 5})
		if p := s.want(wire.DialRsp); p.Error == "" || p.ConnectID != 0 {
			t.Errorf("%v: %+v", d, p)
		}
		s.wantEnd(codes.OK)
	}
	if len(h.started) > 0 {
		t.Error("one of them was dialed for")
	}
}

// TestGRPCDialEnds: a dial ends with its stream, with a DIAL_CLS, and in the time
// the client gives it.
func TestGRPCDialEnds(t *testing.T) {
	h := newHanging()
	fr := newFront(t, ModeGRPC, overUnix, func(cfg *FrontendConfig) { cfg.Dialer = h })
	for name, end := range map[string]func(*stock){
		"stream":   func(s *stock) { s.cancel() },
		"DIAL_CLS": func(s *stock) { s.send(wire.Packet{Type: wire.DialCls, Random: 5}); s.wantEnd(codes.OK) },
		"time":     nil,
	} {
		s := openStock(t, fr.grpcConn())
		req := wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: "node-1:1", Random: 5}
		want := context.Canceled
		if end == nil {
			req.Timeout, want = 20*time.Millisecond, context.DeadlineExceeded
		}
		s.send(req)
		<-h.started
		s.send(wire.Packet{Type: wire.DialCls, Random: 6}) // another's
		if end != nil {
			end(s)
		}
		if err := within(t, "the dial to end", h.ended); err != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestGRPCStockClientHasAMoment: upstream's client loses what comes right behind
// the answer to its dial. The first bytes of a target that does not wait leave it
// a moment, which ends when the client has sent something.
func TestGRPCStockClientHasAMoment(t *testing.T) {
	type sent struct {
		packet string
		at     time.Time
	}
	packets := make(chan sent, 64)
	fr := newFront(t, ModeGRPC, overUnix, func(cfg *FrontendConfig) {
		cfg.Trace = &FrontendTrace{Packet: func(segment, packet string) {
			if segment == segmentToClient {
				packets <- sent{packet, time.Now()}
			}
		}}
	})
	cc := fr.grpcConn()
	eager := target(t, func(c net.Conn) { io.WriteString(c, "SSH-2.0-x\r\n"); io.Copy(io.Discard, c) })
	for range 10 {
		s := openStock(t, cc)
		s.dial(eager)
		s.want(wire.Data)
		answer, banner := <-packets, <-packets
		if gap := banner.at.Sub(answer.at); answer.packet != "DIAL_RSP" || banner.packet != "DATA" || gap < 5*time.Millisecond {
			t.Errorf("%s, and %v later %s", answer.packet, gap, banner.packet)
		}
		s.cancel()
	}
	// It is the time of the dial's answer that counts, and nobody's later bytes.
	s := openStock(t, cc)
	id := s.dial(echo(t))
	begin := time.Now()
	for range 1000 {
		s.send(data(id, "x"))
		s.want(wire.Data)
		for len(packets) > 0 {
			<-packets
		}
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("1000 round trips took %v", took)
	}
}
