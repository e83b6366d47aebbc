package streamconn

import "sync"

// Chunk sizes. Small ones keep a slow trickle cheap, large ones hold a full
// frame of a bulk transfer.
const (
	smallChunk = 2 << 10
	largeChunk = 16 << 10
)

// chunk is a piece of received data. data[r:w] is unread.
type chunk struct {
	data []byte
	r, w int
	next *chunk
	// free gives foreign memory back to its owner; nil for pooled chunks.
	free func()
}

// The pools hold memory, not state: nothing depends on what is in them.
var (
	smallChunks = sync.Pool{New: func() any { return &chunk{data: make([]byte, smallChunk)} }}
	largeChunks = sync.Pool{New: func() any { return &chunk{data: make([]byte, largeChunk)} }}
)

// newChunk returns an empty chunk for the first of n bytes. What fills two small
// chunks gets small ones: a window of 4 KiB must not hold 16 KiB of memory.
func newChunk(n int) *chunk {
	if n <= 2*smallChunk {
		return smallChunks.Get().(*chunk)
	}
	return largeChunks.Get().(*chunk)
}

// release gives c's memory back. c must not be used afterwards.
func (c *chunk) release() {
	if c.free != nil {
		c.free()
		return
	}
	c.r, c.w, c.next = 0, 0, nil
	switch len(c.data) {
	case smallChunk:
		smallChunks.Put(c)
	case largeChunk:
		largeChunks.Put(c)
	}
}
