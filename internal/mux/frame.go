package mux

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// A frame starts with 12 bytes, all fields big-endian:
//
//	0      version, always 0
//	1      type
//	2..3   flags
//	4..7   stream id; 0 for ping and go-away
//	8..11  length: bytes of payload that follow (data), window bytes granted
//	       (window update), opaque value (ping), reason (go-away, RST)
const headerSize = 12

// Frame types.
const (
	typeData   = 0
	typeWindow = 1
	typePing   = 2
	typeGoAway = 3
)

// Flags. flagStop is ours: the sender will read no more from this stream. A full
// close is FIN|STOP, a half-close is FIN alone.
const (
	flagSYN  = 1
	flagACK  = 2
	flagFIN  = 4
	flagRST  = 8
	flagStop = 16
)

// Reasons of a go-away.
const (
	goAwayNormal   = 0
	goAwayProtocol = 1
)

// maxPayload is the most one data frame carries out: what a chunk of the receiver
// holds, and a fraction of what relays read, so that their writes leave no crumbs.
const maxPayload = 16 << 10

// ErrProtocol marks what a well-behaved peer never sends.
var ErrProtocol = errors.New("mux: protocol error")

type header struct {
	typ    uint8
	flags  uint16
	id     uint32
	length uint32
}

func (h header) append(b []byte) []byte {
	b = append(b, 0, h.typ)
	b = binary.BigEndian.AppendUint16(b, h.flags)
	b = binary.BigEndian.AppendUint32(b, h.id)
	return binary.BigEndian.AppendUint32(b, h.length)
}

// parseHeader reads a header and checks what does not depend on the session's
// state. b holds at least headerSize bytes.
func parseHeader(b []byte) (header, error) {
	h := header{
		typ:    b[1],
		flags:  binary.BigEndian.Uint16(b[2:]),
		id:     binary.BigEndian.Uint32(b[4:]),
		length: binary.BigEndian.Uint32(b[8:]),
	}
	switch {
	case b[0] != 0:
		return h, fmt.Errorf("%w: version %d, want 0", ErrProtocol, b[0])
	case h.typ > typeGoAway:
		return h, fmt.Errorf("%w: frame type %d, want 0 to %d", ErrProtocol, h.typ, typeGoAway)
	case h.id == 0 && h.typ < typePing:
		return h, fmt.Errorf("%w: stream frame without a stream id", ErrProtocol)
	case h.id != 0 && h.typ >= typePing:
		return h, fmt.Errorf("%w: session frame with stream id %d", ErrProtocol, h.id)
	}
	return h, nil
}
