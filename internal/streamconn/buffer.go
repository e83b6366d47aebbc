package streamconn

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
)

// Buffer is the receiving half of a conn: one producer, the link's reader,
// appends; any number of readers drain it. It bounds nothing itself: the link's
// window says how much may be appended.
//
// The zero value is empty and ready.
type Buffer struct {
	mu         sync.Mutex
	head, tail *chunk
	n          int
	reserved   *chunk // being filled by the producer without the lock
	err        error  // what readers get after the last byte; nil while open
	closed     bool   // the local side reads no more
	abandoned  bool   // what comes is dropped; see Abandon

	waiting  atomic.Int32  // readers that look at wake before they look again
	wake     chan struct{} // one token: there is something to look at; made by who waits first
	delivery *delivery     // nil while readers drain it
	Deadline Deadline
}

// NewBuffer returns an empty Buffer.
func NewBuffer() *Buffer { return new(Buffer) }

// signal wakes a reader, if one waits.
func (b *Buffer) signal() {
	if b.waiting.Load() == 0 {
		return
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// unlock ends a change that matters to whoever drains b. b.mu is held.
func (b *Buffer) unlock() {
	d := b.due()
	b.mu.Unlock()
	if d != nil {
		d.start()
		return
	}
	b.signal()
}

// willWait counts the caller among those who wait. b.mu is held.
func (b *Buffer) willWait() {
	if b.wake == nil {
		b.wake = make(chan struct{}, 1)
	}
	b.waiting.Add(1)
}

// wait waits for a reason to look again. It follows a take or a next that has
// counted the caller among those who wait.
func (b *Buffer) wait() {
	select {
	case <-b.wake:
	case <-b.Deadline.Done():
	}
	b.waiting.Add(-1)
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
	b.unlock()
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
	b.push(ownedChunk(data, free))
	b.n += len(data)
	b.unlock()
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
	b.unlock()
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
	b.unlock()
	b.Deadline.Stop()
}

// Abandon drops what is unread or still comes, and makes readers fail with err,
// even where another end had been announced: what was dropped came before it.
func (b *Buffer) Abandon(err error) {
	b.mu.Lock()
	b.err, b.abandoned = err, true
	b.drop()
	b.unlock()
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
		b.wait()
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

// take copies what is there. ok is false when a reader has to wait, and counts
// among those who do.
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
	if b.err == nil {
		b.willWait()
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
