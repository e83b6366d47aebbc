package konnectivity

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/mem"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/wire"
)

// TestGRPCInjection: no client can name another's connection, be it on the same
// gRPC connection or on one of its own.
func TestGRPCInjection(t *testing.T) {
	leak.Check(t)
	h := newHanging()
	address := echo(t)
	fr := newFront(t, ModeGRPC, overUnix, func(cfg *FrontendConfig) {
		direct := cfg.Dialer
		cfg.Dialer = byAddress{"hang:1": h, address: direct}
	})
	cc := fr.grpcConn()
	victim := openStock(t, cc)
	id := victim.dial(address)
	ours := dial(t, fr.client(nil), address)
	for name, conn := range map[string]*grpc.ClientConn{"same connection": cc, "another": fr.grpcConn()} {
		for _, dialing := range []bool{false, true} {
			for _, p := range []wire.Packet{
				data(id, "INJECTED"), {Type: wire.CloseReq, ConnectID: id}, {Type: wire.CloseRsp, ConnectID: id, Error: "die"},
				{Type: wire.HalfClose, ConnectID: id}, {Type: wire.DialCls, Random: 77}, {Type: wire.DialRsp, Random: 77, ConnectID: id},
				data(id+1, "INJECTED"), {Type: wire.Drain},
			} {
				attacker := openStock(t, conn)
				if dialing {
					attacker.send(wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: "hang:1", Random: 78})
					<-h.started
				}
				attacker.send(p)
				if dialing && p.Type == wire.Data {
					if p := attacker.want(wire.CloseRsp); !strings.Contains(p.Error, "unknown") {
						t.Errorf("%s: answered with %q", name, p.Error)
					}
				}
				attacker.cancel()
				if dialing {
					<-h.ended
				}
			}
		}
	}
	victim.send(data(id, "mine"))
	if p := victim.want(wire.Data); text(p) != "mine" {
		t.Errorf("the victim reads %q", text(p))
	}
	talk(t, ours, "mine")
}

// TestGRPCUnknownIDs: within a stream, ids that are not its connection's are told
// to be unknown, and disturb nothing.
func TestGRPCUnknownIDs(t *testing.T) {
	s := openStock(t, newFront(t, ModeGRPC, overUnix, nil).grpcConn())
	id := s.dial(echo(t))
	for _, p := range []wire.Packet{data(id+1, "x"), {Type: wire.CloseReq, ConnectID: id + 2}} {
		s.send(p)
		if got := s.want(wire.CloseRsp); got.ConnectID != p.ConnectID || !strings.Contains(got.Error, "unknown") {
			t.Errorf("%v for %d: %+v", p.Type, p.ConnectID, got)
		}
	}
	s.send(data(0, "x"))
	s.send(wire.Packet{Type: wire.CloseRsp, ConnectID: id + 3})
	s.send(data(id, "mine"))
	if p := s.want(wire.Data); text(p) != "mine" {
		t.Errorf("received %q", text(p))
	}
}

// TestGRPCBeforeAnyDial: the words are upstream's.
func TestGRPCBeforeAnyDial(t *testing.T) {
	cc := newFront(t, ModeGRPC, overUnix, nil).grpcConn()
	for typ, words := range map[wire.Type]string{wire.Data: "backend not initialized", wire.CloseReq: "backend uninitialized"} {
		s := openStock(t, cc)
		s.send(wire.Packet{Type: typ, ConnectID: 3})
		if p := s.want(wire.CloseRsp); p.Error != words || p.ConnectID != 3 {
			t.Errorf("%v: %+v", typ, p)
		}
		s.wantEnd(codes.FailedPrecondition)
	}
}

// TestGRPCSecondDial: a stream is for one connection. The first one does not
// outlive the attempt.
func TestGRPCSecondDial(t *testing.T) {
	far := make(chan error, 1)
	address := target(t, func(c net.Conn) { _, err := io.Copy(io.Discard, c); far <- err })
	s := openStock(t, newFront(t, ModeGRPC, overUnix, nil).grpcConn())
	s.dial(address)
	s.send(wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: address, Random: 78})
	s.wantEnd(codes.InvalidArgument)
	if err := within(t, "the target to learn of it", far); err == nil {
		t.Error("the target took it for an end in order")
	}
}

// bytesCodec sends what it is given.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	return wire.Codec{}.Unmarshal(data, v)
}

// TestGRPCMalformed: a packet that makes no sense ends its stream with a status,
// and nothing else.
func TestGRPCMalformed(t *testing.T) {
	leak.Check(t)
	fr := newFront(t, ModeGRPC, overUnix, nil)
	cc := fr.grpcConn()
	neighbour := openStock(t, cc)
	id := neighbour.dial(echo(t))
	for name, b := range map[string][]byte{
		"empty": {}, "no payload": {0x08, 0x04}, "cut short": {0x22, 0x7f, 0x01}, "noise": []byte("GET / HTTP/1.1\r\n\r\n"),
		"huge number": {0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01},
	} {
		t.Run(name, func(t *testing.T) {
			for _, dialed := range []bool{false, true} {
				s := openStock(t, cc, grpc.ForceCodecV2(bytesCodec{}))
				if dialed {
					req := wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: echo(t), Random: 1}
					if err := s.SendMsg(wire.Append(nil, &req)); err != nil {
						t.Fatal(err)
					}
					s.want(wire.DialRsp)
				}
				if err := s.SendMsg(b); err != nil {
					t.Fatal(err)
				}
				s.wantEnd(codes.Internal)
			}
		})
	}
	neighbour.send(data(id, "mine"))
	if p := neighbour.want(wire.Data); text(p) != "mine" {
		t.Errorf("the neighbour reads %q", text(p))
	}
	neighbour.cancel()
}

// TestGRPCLargePackets: what upstream's client may send is taken, and what is
// larger ends its stream.
func TestGRPCLargePackets(t *testing.T) {
	cc := newFront(t, ModeGRPC, overUnix, nil).grpcConn()
	got := make(chan int, 1)
	s := openStock(t, cc)
	id := s.dial(target(t, func(c net.Conn) { b, _ := io.ReadAll(c); got <- len(b) }))
	s.send(data(id, strings.Repeat("x", wire.MaxAccepted)))
	s.send(wire.Packet{Type: wire.CloseReq, ConnectID: id})
	s.want(wire.CloseRsp)
	if n := within(t, "the target to read it", got); n != wire.MaxAccepted {
		t.Errorf("%d bytes arrived", n)
	}
	s = openStock(t, cc)
	s.send(data(1, strings.Repeat("x", wire.MaxMessage)))
	s.wantEnd(codes.ResourceExhausted)
}

// TestGRPCStalledClient: one that reads nothing is held back, and delays nobody,
// not even on its own gRPC connection.
func TestGRPCStalledClient(t *testing.T) {
	sent := make(chan int, 1)
	flood := target(t, func(c net.Conn) {
		c.SetWriteDeadline(time.Now().Add(2 * time.Second))
		n, _ := c.Write(make([]byte, 64<<20))
		sent <- n
	})
	fr := newFront(t, ModeGRPC, overUnix, nil)
	cc := fr.grpcConn()
	stalled := openStock(t, cc)
	stalled.dial(flood)
	neighbour := openStock(t, cc)
	id := neighbour.dial(echo(t))
	for range 100 {
		neighbour.send(data(id, "hello"))
		if p := neighbour.want(wire.Data); text(p) != "hello" {
			t.Fatalf("the neighbour reads %q", text(p))
		}
	}
	// What the kernel holds on the way is not ours to bound: up to 10 MiB on
	// loopback.
	if n := within(t, "the flood to be held back", sent); n > 16<<20 {
		t.Errorf("%d bytes were taken for a client that reads nothing", n)
	}
}

// TestGRPCUnknownMethods: there is nothing else to be called.
func TestGRPCUnknownMethods(t *testing.T) {
	cc := newFront(t, ModeGRPC, overUnix, nil).grpcConn()
	for _, method := range []string{"/AgentService/Connect", "/ProxyService/Other", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"} {
		stream, err := cc.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
		if err != nil {
			t.Fatal(err)
		}
		s := &stock{t: t, ClientStream: stream}
		s.wantEnd(codes.Unimplemented)
	}
}

// TestGRPCManyClients: clients that connect in gRPC and dial nothing are bounded.
func TestGRPCManyClients(t *testing.T) {
	fr := newFront(t, ModeGRPC, overUnix, func(cfg *FrontendConfig) { cfg.MaxConns = 1 })
	const settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	refused := 0
	for range maxNewcomers + 20 {
		c := fr.raw()
		c.SetDeadline(time.Now().Add(15 * time.Second))
		_, err := io.WriteString(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+settings)
		if err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		if err != nil {
			refused++
		}
	}
	if want := 20 - 1; refused != want {
		t.Errorf("%d of %d clients were refused, want %d", refused, maxNewcomers+20, want)
	}
}
