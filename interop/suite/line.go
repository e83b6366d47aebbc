package suite

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/status"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"
)

// line is a stream of packets on which a test says by hand, in Konnectivity's own
// types, what one of its programs would.
type line struct {
	t      testing.TB
	stream stream
	in     chan *client.Packet
	ended  chan struct{} // closed when no more comes
	err    error         // why; after ended
}

// stream is what gRPC's two kinds of stream have in common.
type stream interface {
	Context() context.Context
	SendMsg(m any) error
	RecvMsg(m any) error
}

// newLine reads s until it ends. The test must see to that.
func newLine(t testing.TB, s stream) *line {
	l := &line{t: t, stream: s, in: make(chan *client.Packet, 1<<16), ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		for {
			p := new(client.Packet)
			if l.err = s.RecvMsg(p); l.err != nil {
				return
			}
			l.in <- p
		}
	}()
	return l
}

func (l *line) send(p *client.Packet) {
	l.t.Helper()
	if err := l.stream.SendMsg(p); err != nil {
		l.t.Fatalf("sending %v: %v", p.Type, err)
	}
}

// next returns the next packet, which must be of the given type.
func (l *line) next(want client.PacketType) *client.Packet {
	l.t.Helper()
	p := l.any()
	if p.Type != want {
		l.t.Fatalf("got %v, want %v", p, want)
	}
	return p
}

// any returns the next packet.
func (l *line) any() *client.Packet {
	l.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case p := <-l.in:
		return p
	case <-l.ended:
	case <-timer.C:
		l.t.Fatal("no packet in time")
	}
	select {
	case p := <-l.in:
		return p
	default:
		l.t.Fatalf("no packet, the stream has ended: %v", l.err)
	}
	return nil
}

// data returns the next n bytes of the connection, which must come in DATA
// packets of at most limit.
func (l *line) data(id int64, n, limit int) []byte {
	l.t.Helper()
	var b []byte
	for len(b) < n {
		d := l.next(client.PacketType_DATA).GetData()
		if d.ConnectID != id || len(d.Data) > limit {
			l.t.Fatalf("DATA of %d bytes for %d, want at most %d for %d", len(d.Data), d.ConnectID, limit, id)
		}
		b = append(b, d.Data...)
	}
	if len(b) > n {
		l.t.Fatalf("%d bytes, want %d", len(b), n)
	}
	return b
}

// end waits for the stream's end and returns its status. What came before is
// dropped.
func (l *line) end() *status.Status {
	l.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-l.ended:
	case <-timer.C:
		l.t.Fatal("the stream did not end in time")
	}
	return status.Convert(l.err)
}

// Packets in Konnectivity's own types.

func dialReq(random int64, protocol, address string) *client.Packet {
	return &client.Packet{Type: client.PacketType_DIAL_REQ, Payload: &client.Packet_DialRequest{
		DialRequest: &client.DialRequest{Protocol: protocol, Address: address, Random: random},
	}}
}

func dialRsp(random, id int64, err string) *client.Packet {
	return &client.Packet{Type: client.PacketType_DIAL_RSP, Payload: &client.Packet_DialResponse{
		DialResponse: &client.DialResponse{Random: random, ConnectID: id, Error: err},
	}}
}

func dialCls(random int64) *client.Packet {
	return &client.Packet{Type: client.PacketType_DIAL_CLS, Payload: &client.Packet_CloseDial{
		CloseDial: &client.CloseDial{Random: random},
	}}
}

func dataOf(id int64, b []byte) *client.Packet {
	return &client.Packet{Type: client.PacketType_DATA, Payload: &client.Packet_Data{
		Data: &client.Data{ConnectID: id, Data: b},
	}}
}

func closeReq(id int64) *client.Packet {
	return &client.Packet{Type: client.PacketType_CLOSE_REQ, Payload: &client.Packet_CloseRequest{
		CloseRequest: &client.CloseRequest{ConnectID: id},
	}}
}

func closeRsp(id int64, err string) *client.Packet {
	return &client.Packet{Type: client.PacketType_CLOSE_RSP, Payload: &client.Packet_CloseResponse{
		CloseResponse: &client.CloseResponse{ConnectID: id, Error: err},
	}}
}

func drain() *client.Packet {
	return &client.Packet{Type: client.PacketType_DRAIN, Payload: &client.Packet_Drain{Drain: &client.Drain{}}}
}

// malformed are packets that no program sends and that ended upstream's, whoever
// sent them.
var malformed = map[string]*client.Packet{
	"nothing at all":            {},
	"DIAL_RSP alone":            {Type: client.PacketType_DIAL_RSP},
	"CLOSE_REQ alone":           {Type: client.PacketType_CLOSE_REQ},
	"CLOSE_RSP alone":           {Type: client.PacketType_CLOSE_RSP},
	"DATA alone":                {Type: client.PacketType_DATA},
	"DIAL_CLS alone":            {Type: client.PacketType_DIAL_CLS},
	"DATA with another payload": {Type: client.PacketType_DATA, Payload: closeReq(1).Payload},
}
