package suite

import (
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"

	"github.com/sallyport/sallyport/internal/wire"
)

// maker makes up packets.
type maker struct{ *rand.Rand }

// number is small, large, zero or negative.
func (m maker) number() int64 {
	switch m.IntN(5) {
	case 0:
		return 0
	case 1:
		return m.Int64N(200)
	case 2:
		return -m.Int64N(200)
	case 3:
		return m.Int64() // up to 63 bits
	}
	return int64(m.Uint64())
}

func (m maker) text() string {
	return [...]string{"", "tcp", "10.0.0.1:10250", "[::1]:443", "größe", "no\x00thing", string(m.bytes(40, 128))}[m.IntN(7)]
}

// bytes returns fewer than n bytes, each below limit.
func (m maker) bytes(n, limit int) []byte {
	b := make([]byte, m.IntN(n))
	for i := range b {
		b[i] = byte(m.IntN(limit))
	}
	return b
}

// theirs makes up a packet of the given type, of Konnectivity's own make.
func (m maker) theirs(typ client.PacketType) *client.Packet {
	p := &client.Packet{Type: typ}
	switch typ {
	case client.PacketType_DIAL_REQ:
		p.Payload = &client.Packet_DialRequest{DialRequest: &client.DialRequest{
			Protocol: m.text(), Address: m.text(), Random: m.number(),
		}}
	case client.PacketType_DIAL_RSP:
		p.Payload = &client.Packet_DialResponse{DialResponse: &client.DialResponse{
			Error: m.text(), ConnectID: m.number(), Random: m.number(),
		}}
	case client.PacketType_CLOSE_REQ:
		p.Payload = &client.Packet_CloseRequest{CloseRequest: &client.CloseRequest{ConnectID: m.number()}}
	case client.PacketType_CLOSE_RSP:
		p.Payload = &client.Packet_CloseResponse{CloseResponse: &client.CloseResponse{
			Error: m.text(), ConnectID: m.number(),
		}}
	case client.PacketType_DATA:
		p.Payload = &client.Packet_Data{Data: &client.Data{
			ConnectID: m.number(), Error: m.text(), Data: m.bytes(1000, 256),
		}}
	case client.PacketType_DIAL_CLS:
		p.Payload = &client.Packet_CloseDial{CloseDial: &client.CloseDial{Random: m.number()}}
	case client.PacketType_DRAIN:
		p.Payload = &client.Packet_Drain{Drain: &client.Drain{}}
	}
	return p
}

// ours makes up a packet of our own make, with or without what we add to
// Konnectivity's.
func (m maker) ours(typ wire.Type, added bool) wire.Packet {
	p := wire.Packet{Type: typ}
	switch typ {
	case wire.DialReq:
		p.Protocol, p.Address, p.Random = m.text(), m.text(), m.number()
		if added {
			p.Timeout = time.Duration(m.Int64N(1e6)) * time.Millisecond
		}
	case wire.DialRsp:
		p.Error, p.ConnectID, p.Random = m.text(), m.number(), m.number()
		if added {
			p.Local, p.Remote = m.text(), m.text()
			p.Kind, p.Hop = uint8(m.IntN(256)), m.text()
		}
	case wire.CloseRsp:
		p.Error, p.ConnectID = m.text(), m.number()
		if added {
			p.Kind, p.Hop = uint8(m.IntN(256)), m.text()
		}
	case wire.CloseReq, wire.HalfClose:
		p.ConnectID = m.number()
	case wire.DialCls, wire.Ping, wire.Pong:
		p.Random = m.number()
	case wire.Data:
		p.ConnectID, p.Error = m.number(), m.text()
		for range m.IntN(4) {
			p.Payload = append(p.Payload, m.bytes(300, 256))
		}
	}
	return p
}

// unknown is some fields, of every wire type, that nobody knows.
func (m maker) unknown() (b []byte) {
	for range 1 + m.IntN(4) {
		num := protowire.Number(1000 + m.IntN(1000))
		switch m.IntN(5) {
		case 0:
			b = protowire.AppendTag(b, num, protowire.VarintType)
			b = protowire.AppendVarint(b, uint64(m.number()))
		case 1:
			b = protowire.AppendTag(b, num, protowire.Fixed32Type)
			b = protowire.AppendFixed32(b, m.Uint32())
		case 2:
			b = protowire.AppendTag(b, num, protowire.Fixed64Type)
			b = protowire.AppendFixed64(b, m.Uint64())
		case 3:
			b = protowire.AppendTag(b, num, protowire.BytesType)
			b = protowire.AppendBytes(b, m.bytes(50, 256))
		case 4:
			b = protowire.AppendTag(b, num, protowire.StartGroupType)
			if m.IntN(2) == 0 {
				b = append(b, m.unknown()...)
			}
			b = protowire.AppendTag(b, num, protowire.EndGroupType)
		}
	}
	return b
}

// Packets returns an encoded packet of each type, ours included, as a start for
// fuzzing.
func Packets() (all [][]byte) {
	m := maker{rand.New(rand.NewPCG(1, 2))}
	for _, typ := range []wire.Type{
		wire.DialReq, wire.DialRsp, wire.CloseReq, wire.CloseRsp, wire.Data,
		wire.DialCls, wire.Drain, wire.HalfClose, wire.Ping, wire.Pong,
	} {
		p := m.ours(typ, true)
		all = append(all, wire.Append(nil, &p))
	}
	return all
}
