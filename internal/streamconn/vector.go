package streamconn

import (
	"io"
	"net"
	"sync"
)

const (
	// maxPieces and maxVector bound what one write takes out of a Buffer: beyond,
	// a system call costs little beside its bytes, and the sender is to hear soon
	// that there is room again.
	maxPieces = 16
	maxVector = 128 << 10
)

// A VectorWriter writes several pieces in one call, such as one writev. It
// consumes the slice as net.Buffers.WriteTo does.
type VectorWriter interface {
	WriteVector(v *net.Buffers) (int64, error)
}

// WriteVector writes all of v to w, with as few calls as w allows.
func WriteVector(w io.Writer, v *net.Buffers) (int64, error) {
	if vw, ok := w.(VectorWriter); ok {
		return vw.WriteVector(v)
	}
	return v.WriteTo(w)
}

// vector is what has been taken out of a Buffer to be written at once.
type vector struct {
	chunks [maxPieces]*chunk
	bytes  [maxPieces][]byte
	n      int         // of both
	size   int         // of them together
	part   *chunk      // the last one, if it is still being filled and stays in the Buffer
	shared bool        // somebody else writes out a part of one
	rest   net.Buffers // what WriteTo has not consumed, of bytes
}

var vectors = sync.Pool{New: func() any { return new(vector) }}

// gather takes unread chunks, of which there are some. One that is being filled
// lends what is readable. b.mu is held.
func (b *Buffer) gather() *vector {
	v := vectors.Get().(*vector)
	for b.head != nil && v.n < maxPieces {
		c := b.head
		size := c.w - c.r
		if size == 0 || v.n > 0 && v.size+size > maxVector {
			break
		}
		v.chunks[v.n], v.bytes[v.n] = c, c.data[c.r:c.w]
		v.n++
		v.shared = v.shared || c.lent > 0
		v.size, b.n = v.size+size, b.n-size
		if c == b.reserved {
			c.r, v.part = c.w, c
			c.lent++
			break
		}
		if b.head = c.next; b.head == nil {
			b.tail = nil
		}
		c.next = nil
	}
	return v
}

// write writes v to w in one call if w can.
func (v *vector) write(w io.Writer) (err error) {
	if v.n == 1 {
		_, err = w.Write(v.bytes[0])
		return err
	}
	v.rest = v.bytes[:v.n]
	_, err = WriteVector(w, &v.rest)
	return err
}

// try writes as much of v as w takes at once, and keeps the rest.
func (v *vector) try(w TryWriter) (taken int, err error) {
	for i := range v.n {
		n, err := w.TryWrite(v.bytes[i])
		taken += n
		v.bytes[i] = v.bytes[i][n:]
		if err != nil || len(v.bytes[i]) > 0 {
			return taken, err
		}
	}
	return taken, nil
}

// release gives the memory of everything in v back.
func (b *Buffer) release(v *vector) {
	if v.shared || v.part != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
	}
	for i := range v.n {
		if c := v.chunks[i]; c != v.part {
			c.release()
		}
		v.chunks[i], v.bytes[i] = nil, nil
	}
	if c := v.part; c != nil {
		if c.lent--; c.done {
			c.release()
		}
	}
	v.n, v.size, v.part, v.shared, v.rest = 0, 0, nil, false, nil
	vectors.Put(v)
}
