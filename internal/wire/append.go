package wire

import (
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Fields that this project adds to Konnectivity's messages. They start high
// enough to stay clear of what Konnectivity may add, and low enough that most of
// them cost one byte.
const (
	fieldTimeout protowire.Number = 15 // DialRequest, milliseconds
	fieldGrant   protowire.Number = 16 // DialRequest, bytes
	fieldKind    protowire.Number = 15 // DialResponse, CloseResponse
	fieldHop     protowire.Number = 16
	fieldLocal   protowire.Number = 17 // DialResponse
	fieldRemote  protowire.Number = 18
	fieldGranted protowire.Number = 19 // DialResponse, bytes
)

// Append appends the encoding of p to b: fields in ascending order, each once,
// zero values left out. That is how Konnectivity's own programs encode too, byte
// for byte. A packet of an unknown type is its type alone. Strings go out as
// valid UTF-8, which peers insist on.
func Append(b []byte, p *Packet) []byte {
	b = appendHead(b, p)
	if p.Type == Data {
		for _, part := range p.Payload {
			b = append(b, part...)
		}
	}
	return b
}

// appendHead appends everything but the bytes of Payload, which come last.
func appendHead(b []byte, p *Packet) []byte {
	b = appendInt(b, fieldType, int64(p.Type))
	field := p.Type.field()
	if field == 0 {
		return b
	}
	var room [64]byte
	body, payload := appendBody(room[:0], p), 0
	if p.Type == Data {
		payload = p.Len()
	}
	if payload > 0 {
		body = protowire.AppendTag(body, 3, protowire.BytesType)
		body = protowire.AppendVarint(body, uint64(payload))
	}
	b = protowire.AppendTag(b, field, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(len(body)+payload))
	return append(b, body...)
}

// appendDataHead appends what stands before the n bytes of payload of a DATA packet.
func appendDataHead(b []byte, connectID int64, n int) []byte {
	size := 0
	if connectID != 0 {
		size = 1 + protowire.SizeVarint(uint64(connectID))
	}
	if n > 0 {
		size += 1 + protowire.SizeBytes(n)
	}
	b = appendInt(b, fieldType, int64(Data))
	b = protowire.AppendTag(b, fieldData, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = appendInt(b, 1, connectID)
	if n > 0 {
		b = protowire.AppendTag(b, 3, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(n))
	}
	return b
}

// appendBody appends the fields of the payload message, the data of DATA left out.
func appendBody(b []byte, p *Packet) []byte {
	switch p.Type {
	case DialReq:
		b = appendString(b, 1, p.Protocol)
		b = appendString(b, 2, p.Address)
		b = appendInt(b, 3, p.Random)
		b = appendInt(b, fieldTimeout, milliseconds(p.Timeout))
		b = appendInt(b, fieldGrant, p.Window)
	case DialRsp:
		b = appendString(b, 1, p.Error)
		b = appendInt(b, 2, p.ConnectID)
		b = appendInt(b, 3, p.Random)
		b = appendFailure(b, p)
		b = appendString(b, fieldLocal, p.Local)
		b = appendString(b, fieldRemote, p.Remote)
		b = appendInt(b, fieldGranted, p.Window)
	case CloseRsp:
		b = appendString(b, 1, p.Error)
		b = appendInt(b, 2, p.ConnectID)
		b = appendFailure(b, p)
	case Data:
		b = appendInt(b, 1, p.ConnectID)
		b = appendString(b, 2, p.Error)
	case CloseReq, HalfClose:
		b = appendInt(b, 1, p.ConnectID)
	case DialCls, Ping, Pong:
		b = appendInt(b, 1, p.Random)
	case Window:
		b = appendInt(b, 1, p.ConnectID)
		b = appendInt(b, 2, p.Window)
	}
	return b
}

func appendFailure(b []byte, p *Packet) []byte {
	b = appendInt(b, fieldKind, int64(p.Kind))
	return appendString(b, fieldHop, p.Hop)
}

func appendInt(b []byte, num protowire.Number, v int64) []byte {
	if v == 0 {
		return b
	}
	b = protowire.AppendTag(b, num, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(v))
}

func appendString(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	b = protowire.AppendTag(b, num, protowire.BytesType)
	return protowire.AppendString(b, strings.ToValidUTF8(s, "\uFFFD"))
}

// milliseconds rounds up, so that a little time left does not become "nothing
// said".
func milliseconds(d time.Duration) int64 {
	switch {
	case d == 0:
		return 0
	case d < time.Millisecond:
		return 1
	}
	ms := d.Milliseconds()
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}
