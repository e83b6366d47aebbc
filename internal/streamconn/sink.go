package streamconn

import (
	"io"
	"net"
)

// Sink passes what is written on to W, counts what that takes and remembers what it
// failed with: some writers fail with io.EOF, which must not pass for the end of the
// conn that is written out.
type Sink struct {
	W   io.Writer
	N   int64 // bytes taken
	Err error // of the last write
}

// Write writes one piece. Fewer bytes than that without an error are one.
func (s *Sink) Write(p []byte) (n int, err error) {
	n, s.Err = s.W.Write(p)
	s.N += int64(n)
	if s.Err == nil && n < len(p) {
		s.Err = io.ErrShortWrite
	}
	return n, s.Err
}

// WriteVector writes several pieces.
func (s *Sink) WriteVector(v *net.Buffers) (n int64, err error) {
	n, s.Err = WriteVector(s.W, v)
	s.N += n
	if s.Err == nil && len(*v) > 0 {
		s.Err = io.ErrShortWrite
	}
	return n, s.Err
}

// TryWrite writes what W takes at once, which is nothing if it cannot tell.
func (s *Sink) TryWrite(p []byte) (n int, err error) {
	t, ok := s.W.(TryWriter)
	if !ok {
		return 0, nil
	}
	n, s.Err = t.TryWrite(p)
	s.N += int64(n)
	return n, s.Err
}
