package grpc

import "sync"

// Sizes of the buffers that gRPC reads frames into: the largest frame it takes, and
// what is much smaller. Up to 1 KiB it takes none from a pool.
const (
	smallBuffer = 4 << 10
	largeBuffer = 16 << 10
)

// The pools hold memory, not state: nothing depends on what is in them.
var (
	smallBuffers = sync.Pool{New: func() any { return new(make([]byte, smallBuffer)) }}
	largeBuffers = sync.Pool{New: func() any { return new(make([]byte, largeBuffer)) }}
)

// buffers is a mem.BufferPool that, unlike gRPC's own, does not clear what it gives
// out: each buffer is filled before anybody reads it.
type buffers struct{}

// Get returns a buffer of n bytes.
func (buffers) Get(n int) *[]byte {
	var b *[]byte
	switch {
	case n <= smallBuffer:
		b = smallBuffers.Get().(*[]byte)
	case n <= largeBuffer:
		b = largeBuffers.Get().(*[]byte)
	default:
		return new(make([]byte, n))
	}
	*b = (*b)[:n]
	return b
}

// Put takes a buffer back.
func (buffers) Put(b *[]byte) {
	*b = (*b)[:cap(*b)]
	switch len(*b) {
	case smallBuffer:
		smallBuffers.Put(b)
	case largeBuffer:
		largeBuffers.Put(b)
	}
}
