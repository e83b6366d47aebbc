package relay

import (
	"io"
	"net"
	"sync"
)

// bufferSize holds two full TLS records: enough to spread the cost of a system
// call, little enough for many conns at once.
const bufferSize = 32 << 10

type buffer [bufferSize]byte

// buffers is shared by all pipes. It is a cache and no state: what is in it
// changes nothing but the number of allocations.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

// source is a conn as a row of chunks.
type source interface {
	// next waits for bytes. What it returns is valid until the next call. It
	// may return bytes and an error together, as an io.Reader may.
	next() ([]byte, error)
	// release gives the buffer back.
	release()
}

// pump writes src's bytes to w until one of them fails, and returns src's error,
// nil for EOF. For an error of w it returns nil too: w remembers it.
func pump(src net.Conn, w io.Writer) error {
	if wt, ok := src.(io.WriterTo); ok && !isKernel(src) {
		_, err := wt.WriteTo(w)
		return clean(err)
	}
	s := newSource(src)
	defer s.release()
	for {
		chunk, err := s.next()
		if len(chunk) > 0 {
			if _, err := w.Write(chunk); err != nil {
				return nil
			}
		}
		if err != nil {
			return clean(err)
		}
	}
}

// clean returns err, or nil if it is the end that every conn has.
func clean(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// plain reads a conn of which nothing is known: it has to have a buffer at hand
// before it can wait.
type plain struct {
	conn net.Conn
	buf  *buffer
}

func newPlain(c net.Conn) *plain {
	return &plain{conn: c, buf: buffers.Get().(*buffer)}
}

func (p *plain) next() ([]byte, error) {
	n, err := p.conn.Read(p.buf[:])
	return p.buf[:n], err
}

func (p *plain) release() { buffers.Put(p.buf) }
