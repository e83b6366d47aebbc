package relay

import (
	"io"
	"net"
)

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
	fit  fit
	buf  *buffer
}

func newPlain(c net.Conn) *plain {
	return &plain{conn: c, fit: fit{most: maxPlain}}
}

func (p *plain) next() ([]byte, error) {
	p.buf = p.fit.swap(p.buf)
	n, err := p.conn.Read(p.buf.data)
	p.fit.saw(n)
	return p.buf.data[:n], err
}

func (p *plain) release() {
	if p.buf != nil {
		p.buf.give()
		p.buf = nil
	}
}
