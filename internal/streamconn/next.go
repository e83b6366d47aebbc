package streamconn

import (
	"io"
	"net"
)

// WriteNext passes the next unread bytes to w without copying them: all that are
// there, up to a bound, in one call where w is a socket or a [VectorWriter]. It
// returns how many have left the Buffer, those included that w has not taken when
// it failed. It waits as Read does; io.EOF is the clean end.
func (b *Buffer) WriteNext(w io.Writer) (int, error) {
	for {
		if n, err, ok := b.next(w, true); ok {
			return n, err
		}
		b.wait()
	}
}

// next is WriteNext without waiting. ok is false when there is nothing yet; the
// caller then counts among those who wait, if it wants to.
func (b *Buffer) next(w io.Writer, wait bool) (n int, err error, ok bool) {
	if b.Deadline.Passed() {
		return 0, b.timeoutOrClosed(), true
	}
	b.mu.Lock()
	if b.n == 0 || b.closed {
		defer b.mu.Unlock()
		if err = b.ending(); err == nil && wait {
			b.willWait()
		}
		return 0, err, err != nil
	}
	v := b.gather()
	if b.n > 0 || b.err != nil {
		b.signal()
	}
	b.mu.Unlock()
	n = v.size
	err = v.write(w)
	b.release(v)
	return n, err, true
}

// ending returns what readers get when there is nothing to read, nil if they have
// to wait, and passes it on to the next one. b.mu is held.
func (b *Buffer) ending() error {
	err := b.err
	if b.closed {
		err = net.ErrClosed
	}
	if err != nil {
		b.signal()
	}
	return err
}
