package dialertest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
)

// stream is an endless run of bytes that both ends know. It repeats after a
// prime number of them, so that a lost, doubled or swapped buffer of any usual
// size shows.
type stream struct {
	block []byte
	off   int
}

func newStream() *stream {
	s := &stream{block: make([]byte, 65521)}
	src := rand.NewChaCha8([32]byte{})
	src.Read(s.block) // never fails
	return s
}

// fill sets p to the next bytes.
func (s *stream) fill(p []byte) {
	for len(p) > 0 {
		n := copy(p, s.block[s.off:])
		p = p[n:]
		s.off = (s.off + n) % len(s.block)
	}
}

// streamBytes returns the first n bytes of a stream.
func streamBytes(n int) []byte {
	p := make([]byte, n)
	newStream().fill(p)
	return p
}

// check compares p with the next bytes.
func (s *stream) check(p []byte) bool {
	want := make([]byte, len(p))
	s.fill(want)
	return bytes.Equal(p, want)
}

// verify reads exactly n bytes of the stream from r.
func (s *stream) verify(r io.Reader, n int64) error {
	buf := make([]byte, 64<<10)
	for got := int64(0); got < n; {
		m, err := r.Read(buf[:min(int64(len(buf)), n-got)])
		if !s.check(buf[:m]) {
			return fmt.Errorf("wrong bytes somewhere in %d to %d", got, got+int64(m))
		}
		got += int64(m)
		if err != nil && got < n {
			return fmt.Errorf("%w after %d of %d bytes", err, got, n)
		}
	}
	return nil
}

// verifyAll reads n bytes of a stream from r and then nothing but io.EOF.
func verifyAll(r io.Reader, n int64) error {
	if err := newStream().verify(r, n); err != nil {
		return err
	}
	if m, err := r.Read(make([]byte, 1)); m != 0 || err != io.EOF {
		return fmt.Errorf("after all %d bytes Read returned %d, %v; want 0, EOF", n, m, err)
	}
	return nil
}
