package wire

import (
	"time"

	"google.golang.org/grpc/mem"
)

// MaxData is the most payload to put into one DATA packet, in bytes.
const MaxData = 32 << 10

// MaxAccepted is the largest payload of a DATA packet that a peer may send, in
// bytes: what a gRPC receiver takes unless it is told otherwise.
const MaxAccepted = 4 << 20

// MaxMessage is the largest encoded packet that we receive, in bytes: room for
// MaxAccepted of payload and what goes around it.
const MaxMessage = MaxAccepted + 1<<10

// Packet is one message. Its Type says which of the fields below it carries;
// the others are not sent, and are zero when received.
//
// A packet that was received, or made by [NewData], owns buffers: call Free once
// done with it, and do not copy it.
type Packet struct {
	Type Type

	// ConnectID names a connection: DIAL_RSP of a success, DATA, CLOSE_REQ,
	// CLOSE_RSP, HALF_CLOSE. Whoever opens the connection's far half chooses it;
	// 0 names none.
	ConnectID int64
	// Random names a dial, in DIAL_REQ, DIAL_RSP and DIAL_CLS, and ties a PONG to
	// its PING.
	Random int64

	// Protocol and Address are what DIAL_REQ asks for: "tcp" and host:port.
	Protocol, Address string
	// Timeout in DIAL_REQ is how long the far side has, sent in whole
	// milliseconds, rounded up. 0 means that nothing was said; less than a
	// millisecond, negative included, counts as one. Ours.
	Timeout time.Duration

	// Error says in words what failed: DIAL_RSP and CLOSE_RSP. Empty is success.
	// DATA has the field too; nobody fills it or reads it.
	Error string
	// Kind is the dialer.Kind of the failure, and Hop where it happened:
	// DIAL_RSP and CLOSE_RSP. 0 and empty when the peer did not say, as
	// Konnectivity's own programs never do. Ours.
	Kind uint8
	Hop  string

	// Local and Remote are the addresses of the connection that the far side
	// opened: DIAL_RSP of a success. Empty when it did not say. Ours.
	Local, Remote string

	// Payload is the content of DATA, in one or several parts one after the
	// other. Parts of a received packet alias the buffers it came in, are not to
	// be written to, and are gone after Free.
	Payload [][]byte

	// bufs are the buffers that Payload lies in, with a reference held on each.
	bufs mem.BufferSlice
	// filled says that bufs is one buffer, made by NewData, that is all payload.
	filled bool
}

// NewData returns a DATA packet for the connection and its payload of n bytes,
// from a pool, for the caller to fill whole. Sending it hands the buffer over to
// gRPC without a copy: afterwards the packet is without payload. Free gives the
// buffer back when it was not sent, and does nothing when it was. n of 0 or less
// is an empty payload.
func NewData(connectID int64, n int) (*Packet, []byte) {
	p := &Packet{Type: Data, ConnectID: connectID}
	if n <= 0 {
		return p, nil
	}
	pool := mem.DefaultBufferPool()
	buf := pool.Get(n)
	p.Payload = [][]byte{*buf}
	p.bufs = mem.BufferSlice{mem.NewBuffer(buf, pool)}
	p.filled = true
	return p, *buf
}

// Len returns how many bytes of payload the packet carries.
func (p *Packet) Len() int {
	n := 0
	for _, part := range p.Payload {
		n += len(part)
	}
	return n
}

// Free gives the packet's buffers back and takes its payload away. It may be
// called again, but not from two goroutines at once.
func (p *Packet) Free() {
	bufs := p.bufs
	p.bufs, p.Payload, p.filled = nil, nil, false
	bufs.Free()
}
