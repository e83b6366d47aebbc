package streamconn

import (
	"io"
	"net"
	"os"
	"sync"
)

// Buffer is the receiving half of a conn: one producer, the link's reader,
// appends; any number of readers drain it. It bounds nothing itself: the link's
// window says how much may be appended.
//
// The zero value is not usable; see [NewBuffer].
type Buffer struct {
	mu         sync.Mutex
	head, tail *chunk
	n          int
	reserved   *chunk // being filled by the producer without the lock
	err        error  // what readers get after the last byte; nil while open
	closed     bool   // the local side reads no more
	abandoned  bool   // what comes is dropped; see Abandon

	wake     chan struct{} // one token: there is something to look at
	Deadline Deadline
}

// NewBuffer returns an empty Buffer.
func NewBuffer() *Buffer {
	b := new(Buffer)
	b.Init()
	return b
}

// Init makes a Buffer that is part of a larger struct usable.
func (b *Buffer) Init() { b.wake = make(chan struct{}, 1) }

func (b *Buffer) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Reserve returns memory for at most n bytes that the producer fills and then
// hands over with Commit. Small pieces share a chunk, so that many tiny frames
// cost no more memory than one large frame.
func (b *Buffer) Reserve(n int) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	c := b.tail
	if c == nil || c.free != nil || c.w == len(c.data) {
		c = newChunk(n)
		b.push(c)
	}
	b.reserved = c
	return c.data[c.w:min(len(c.data), c.w+n)]
}

func (b *Buffer) push(c *chunk) {
	if b.tail == nil {
		b.head = c
	} else {
		b.tail.next = c
	}
	b.tail = c
}

// Commit makes the first n bytes of the reserved memory readable. It reports
// whether anybody can still read them.
func (b *Buffer) Commit(n int) bool {
	b.mu.Lock()
	c := b.reserved
	b.reserved = nil
	c.w += n
	b.n += n
	open := !b.closed && !b.abandoned
	if !open {
		b.drop()
	} else if c.r == c.w {
		b.trim() // nothing came after all; an idle conn holds no chunk
	}
	b.mu.Unlock()
	b.signal()
	return open
}

// AppendOwned adds data without a copy. free is called once, when the bytes have
// been read or dropped. It reports whether anybody can still read them.
func (b *Buffer) AppendOwned(data []byte, free func()) bool {
	b.mu.Lock()
	if b.closed || b.abandoned || len(data) == 0 {
		open := !b.closed && !b.abandoned
		b.mu.Unlock()
		free()
		return open
	}
	b.push(&chunk{data: data, w: len(data), free: free})
	b.n += len(data)
	b.mu.Unlock()
	b.signal()
	return true
}

// Len returns the number of unread bytes.
func (b *Buffer) Len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

// End says that nothing more will be appended: after the bytes that are there,
// readers get err. io.EOF is the clean end. The first End counts.
func (b *Buffer) End(err error) {
	b.mu.Lock()
	if b.err == nil {
		b.err = err
	}
	b.mu.Unlock()
	b.signal()
}

// Ended returns the error of End, or nil.
func (b *Buffer) Ended() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Close drops what is unread and fails every Read with net.ErrClosed.
func (b *Buffer) Close() {
	b.mu.Lock()
	b.closed = true
	b.drop()
	b.mu.Unlock()
	b.Deadline.Stop()
	b.signal()
}

// Abandon drops what is unread or still comes, and makes readers fail with err,
// even where another end had been announced: what was dropped came before it.
func (b *Buffer) Abandon(err error) {
	b.mu.Lock()
	b.err, b.abandoned = err, true
	b.drop()
	b.mu.Unlock()
	b.signal()
}

// drop releases every chunk but the one being filled. b.mu is held.
func (b *Buffer) drop() {
	for c := b.head; c != nil; {
		next := c.next
		if c != b.reserved {
			c.release()
		}
		c = next
	}
	b.head, b.tail, b.n = b.reserved, b.reserved, 0
	if b.reserved != nil {
		b.reserved.r, b.reserved.next = b.reserved.w, nil
	}
}

// Read reads what is there, or waits for it, for the end, for the deadline or
// for Close.
func (b *Buffer) Read(p []byte) (int, error) {
	for {
		if b.Deadline.Passed() {
			return 0, b.timeoutOrClosed()
		}
		n, err, ok := b.take(p)
		if ok {
			return n, err
		}
		select {
		case <-b.wake:
		case <-b.Deadline.Done():
		}
	}
}

func (b *Buffer) timeoutOrClosed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return net.ErrClosed
	}
	return os.ErrDeadlineExceeded
}

// take copies what is there. ok is false when a reader has to wait.
func (b *Buffer) take(p []byte) (n int, err error, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		b.signal() // the token may be the only one; pass it to the next reader
		return 0, net.ErrClosed, true
	}
	if len(p) == 0 {
		return 0, nil, true
	}
	for n < len(p) && b.n > 0 {
		c := b.head
		m := copy(p[n:], c.data[c.r:c.w])
		c.r, n, b.n = c.r+m, n+m, b.n-m
		b.trim()
	}
	if b.n > 0 || b.err != nil {
		b.signal()
	}
	if n > 0 {
		return n, nil, true
	}
	return 0, b.err, b.err != nil
}

// trim releases read chunks at the head. b.mu is held.
func (b *Buffer) trim() {
	for c := b.head; c != nil && c.r == c.w && c != b.reserved; c = b.head {
		b.head = c.next
		if b.head == nil {
			b.tail = nil
		}
		c.release()
	}
}

// WriteNext passes the next unread bytes to w without copying them and returns
// how many w took. It waits as Read does; io.EOF is the clean end.
func (b *Buffer) WriteNext(w io.Writer) (int, error) {
	for {
		if b.Deadline.Passed() {
			return 0, b.timeoutOrClosed()
		}
		c, err, ok := b.detach()
		if c != nil {
			n, werr := w.Write(c.data[c.r:c.w])
			c.release()
			return n, werr
		}
		if ok {
			return 0, err
		}
		select {
		case <-b.wake:
		case <-b.Deadline.Done():
		}
	}
}

// detach takes the head chunk out of the queue, so that it can be written
// without the lock.
func (b *Buffer) detach() (c *chunk, err error, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		b.signal()
		return nil, net.ErrClosed, true
	}
	if b.n == 0 {
		if b.err != nil {
			b.signal()
		}
		return nil, b.err, b.err != nil
	}
	if c = b.head; c == b.reserved {
		return b.copyOut(c), nil, true
	}
	b.head = c.next
	if b.head == nil {
		b.tail = nil
	}
	c.next = nil
	b.n -= c.w - c.r
	if b.n > 0 || b.err != nil {
		b.signal()
	}
	return c, nil, true
}

// copyOut copies the readable part of a chunk whose rest is being filled.
func (b *Buffer) copyOut(c *chunk) *chunk {
	out := newChunk(c.w - c.r)
	out.w = copy(out.data, c.data[c.r:c.w])
	c.r += out.w
	b.n -= out.w
	if b.n > 0 || b.err != nil {
		b.signal()
	}
	return out
}
