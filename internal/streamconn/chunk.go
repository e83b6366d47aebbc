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

	// Guarded by the mutex of the Buffer. A part of a chunk that is still being
	// filled may be written out meanwhile; then the last to let go releases it.
	lent int  // how many are writing out a part
	done bool // the Buffer needs it no more
}

// The pools hold memory, not state: nothing depends on what is in them.
var (
	smallChunks = sync.Pool{New: func() any { return &chunk{data: make([]byte, smallChunk)} }}
	largeChunks = sync.Pool{New: func() any { return &chunk{data: make([]byte, largeChunk)} }}
	ownedChunks = sync.Pool{New: func() any { return new(chunk) }} // without memory of their own
)

// newChunk returns an empty chunk for the first of n bytes. What fills two small
// chunks gets small ones: a window of 4 KiB must not hold 16 KiB of memory.
func newChunk(n int) *chunk {
	if n <= 2*smallChunk {
		return smallChunks.Get().(*chunk)
	}
	return largeChunks.Get().(*chunk)
}

// ownedChunk returns data as a chunk that calls free when it is done with.
func ownedChunk(data []byte, free func()) *chunk {
	c := ownedChunks.Get().(*chunk)
	c.data, c.w, c.free = data, len(data), free
	return c
}

// release gives c's memory back, or leaves that to whoever writes out a part of
// it. c must not be used afterwards.
func (c *chunk) release() {
	if c.lent > 0 {
		c.done = true
		return
	}
	if free := c.free; free != nil {
		*c = chunk{}
		ownedChunks.Put(c)
		free()
		return
	}
	c.r, c.w, c.next, c.done = 0, 0, nil, false
	switch len(c.data) {
	case smallChunk:
		smallChunks.Put(c)
	case largeChunk:
		largeChunks.Put(c)
	}
}
