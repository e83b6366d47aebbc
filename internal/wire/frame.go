package wire

import (
	"sync"

	"google.golang.org/grpc/mem"
)

// Meter is told how many bytes of messages gRPC holds: of each message when gRPC
// gets it, and the negative of that when it has put it into HTTP/2's frames, or
// has dropped it. Count may be called with locks of gRPC's held: it must not block
// and must not call gRPC.
type Meter interface{ Count(n int) }

// Sizes of the memory of messages. gRPC counts the holders of buffers above 1 KiB
// alone, so nothing smaller could be told to a Meter.
const (
	smallBlock = 2 << 10
	largeBlock = MaxData + headRoom
	// headRoom is for what stands before the payload of DATA.
	headRoom = 32
	// grpcHeader is what gRPC puts before each message.
	grpcHeader = 5
)

// Frame is a DATA packet on its way out. Its payload is filled in where it will
// be sent from, so that nothing is copied or allocated for it.
type Frame struct {
	id      int64
	payload []byte
	block   *block
	meter   Meter
}

// NewFrame returns a DATA packet for the connection with n bytes of payload, at
// most MaxData, for the caller to fill whole. Sending it hands it over to gRPC:
// it must not be used afterwards. One that is not sent is freed.
func NewFrame(connectID int64, n int) *Frame {
	b := newBlock(headRoom + n)
	f := &b.frame
	*f = Frame{id: connectID, payload: b.room[headRoom : headRoom+n : headRoom+n], block: b}
	return f
}

// Payload is what the packet carries.
func (f *Frame) Payload() []byte { return f.payload }

// SetMeter has m told of the packet.
func (f *Frame) SetMeter(m Meter) { f.meter = m }

// Free gives the memory of a packet back that is not sent.
func (f *Frame) Free() { f.block.release() }

// encode puts what stands before the payload right before it, and hands over.
func (f *Frame) encode() mem.BufferSlice {
	var room [headRoom]byte
	head := appendDataHead(room[:0], f.id, len(f.payload))
	from := headRoom - len(head)
	copy(f.block.room[from:], head)
	return f.block.handOver(from, headRoom+len(f.payload), f.meter)
}

// block is the memory of one message that is sent. It is the pool that gRPC gives
// its buffer back to.
type block struct {
	room  []byte
	sent  []byte        // the part that gRPC has got
	slice [1]mem.Buffer // the message, as gRPC wants it
	meter Meter
	frame Frame
}

// The pools hold memory, not state: nothing depends on what is in them.
var (
	smallBlocks = sync.Pool{New: func() any { return &block{room: make([]byte, smallBlock)} }}
	largeBlocks = sync.Pool{New: func() any { return &block{room: make([]byte, largeBlock)} }}
)

// newBlock returns room for at least n bytes.
func newBlock(n int) *block {
	switch {
	case n <= smallBlock:
		return smallBlocks.Get().(*block)
	case n <= largeBlock:
		return largeBlocks.Get().(*block)
	}
	return &block{room: make([]byte, n)}
}

// handOver makes room[from:to] the message that gRPC gets.
func (b *block) handOver(from, to int, m Meter) mem.BufferSlice {
	b.sent, b.meter = b.room[from:to], m
	b.slice[0] = mem.NewBuffer(&b.sent, b)
	if m != nil {
		m.Count(grpcHeader + len(b.sent))
	}
	return b.slice[:]
}

// Get is there for mem.BufferPool, and never called.
func (b *block) Get(n int) *[]byte { return new(make([]byte, n)) }

// Put takes back what handOver has given.
func (b *block) Put(*[]byte) {
	m, n := b.meter, grpcHeader+len(b.sent)
	b.release()
	if m != nil {
		m.Count(-n)
	}
}

// release puts b back where it came from.
func (b *block) release() {
	b.sent, b.meter, b.slice[0], b.frame = nil, nil, nil, Frame{}
	b.room = b.room[:cap(b.room)]
	switch len(b.room) {
	case smallBlock:
		smallBlocks.Put(b)
	case largeBlock:
		largeBlocks.Put(b)
	}
}
