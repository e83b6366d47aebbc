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
// A packet that was received owns buffers: call Free once done with it, and do not
// copy it. DATA is sent as a [Frame].
type Packet struct {
	Type Type

	// ConnectID names a connection: DIAL_RSP of a success, DATA, CLOSE_REQ,
	// CLOSE_RSP, HALF_CLOSE, WINDOW. Whoever opens the connection's far half chooses it;
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

	// Window is how many bytes of DATA the sender takes on a connection: in WINDOW,
	// more than before; in DIAL_REQ and DIAL_RSP, more than what both ends begin
	// with. Ours.
	Window int64

	// parts is Payload if the packet was received, and bufs are the buffers that it
	// lies in, with a reference held on each.
	parts [][]byte
	bufs  mem.BufferSlice
	meter Meter // is told of the packet when it is sent
}

// SetMeter has m told of the packet when it is sent.
func (p *Packet) SetMeter(m Meter) { p.meter = m }

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
	for _, b := range p.bufs {
		b.Free()
	}
	clear(p.bufs)
	clear(p.parts)
	// The next packet that is received here has use for the slices.
	p.Payload, p.parts, p.bufs = nil, p.parts[:0], p.bufs[:0]
}

// reset makes p an empty packet of type t. It frees nothing.
func (p *Packet) reset(t Type) {
	*p = Packet{Type: t, parts: p.parts[:0], bufs: p.bufs[:0]}
}
