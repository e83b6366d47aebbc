package message

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
)

// MaxSize bounds the body of any message, in bytes.
const MaxSize = 64 << 10

// ErrMalformed marks a message that no well-behaved peer sends.
var ErrMalformed = errors.New("malformed message")

// Message is one of the messages of this package.
type Message interface {
	// appendTo appends the body.
	appendTo(b []byte) []byte
	// set takes one field. Fields it does not know, it ignores.
	set(f field) error
	// check says whether the whole makes sense.
	check() error
}

// field is one decoded field. v is the value of a varint, b of a string or bytes.
type field struct {
	num protowire.Number
	typ protowire.Type
	v   uint64
	b   []byte
}

// Append appends m, length first, to b.
func Append(b []byte, m Message) []byte {
	body := m.appendTo(nil)
	b = protowire.AppendVarint(b, uint64(len(body)))
	return append(b, body...)
}

// maxPrefix is what the length of a message takes, at the most, in bytes.
const maxPrefix = binary.MaxVarintLen32

// scratch is memory for one message on its way. It is a cache and no state.
type scratch struct{ b []byte }

var scratches = sync.Pool{New: func() any { return &scratch{make([]byte, 256)} }}

// keepScratch bounds, in bytes, the memory that is kept for the next message:
// most are short.
const keepScratch = 1 << 10

func (s *scratch) release() {
	if cap(s.b) <= keepScratch {
		scratches.Put(s)
	}
}

// Write writes m in one piece. It fails on a message over MaxSize, which the
// far end would refuse.
func Write(w io.Writer, m Message) error {
	s := scratches.Get().(*scratch)
	defer s.release()
	// The body goes behind room for the longest length, and the length right
	// before the body.
	s.b = m.appendTo(s.b[:maxPrefix])
	size := uint64(len(s.b) - maxPrefix)
	start := maxPrefix - protowire.SizeVarint(size)
	if n := len(s.b) - start; n > MaxSize {
		return fmt.Errorf("message of %d bytes, more than the %d allowed", n, MaxSize)
	}
	binary.PutUvarint(s.b[start:], size)
	_, err := w.Write(s.b[start:])
	return err
}

// Read reads m and not a byte beyond it: what follows belongs to the stream.
func Read(r io.Reader, m Message) error {
	s := scratches.Get().(*scratch)
	defer s.release()
	size, err := readLength(r, s.b[:1])
	if err != nil {
		return unexpected(err)
	}
	if size > MaxSize {
		return fmt.Errorf("%w: %d bytes, more than the %d allowed", ErrMalformed, size, MaxSize)
	}
	s.b = slices.Grow(s.b[:0], int(size))[:size]
	if _, err := io.ReadFull(r, s.b); err != nil {
		return unexpected(err)
	}
	return Parse(s.b, m)
}

// readLength reads a varint without reading ahead, each byte of it into b.
func readLength(r io.Reader, b []byte) (uint64, error) {
	return binary.ReadUvarint(&byteReader{r, b})
}

// unexpected keeps an end inside a message from looking like a clean one.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// byteReader reads single bytes without reading ahead.
type byteReader struct {
	r io.Reader
	b []byte // of length 1
}

func (r *byteReader) ReadByte() (byte, error) {
	_, err := io.ReadFull(r.r, r.b)
	return r.b[0], err
}

// Parse reads the body b into m, which should be zero. It keeps no reference to b.
func Parse(b []byte, m Message) error {
	for len(b) > 0 {
		f, n, err := parseField(b)
		if err != nil {
			return err
		}
		if err := m.set(f); err != nil {
			return err
		}
		b = b[n:]
	}
	return m.check()
}

func parseField(b []byte) (f field, n int, err error) {
	num, typ, n := protowire.ConsumeTag(b)
	if n < 0 {
		return f, 0, fmt.Errorf("%w: %v", ErrMalformed, protowire.ParseError(n))
	}
	f.num, f.typ = num, typ
	m := 0
	switch typ {
	case protowire.VarintType:
		f.v, m = protowire.ConsumeVarint(b[n:])
	case protowire.BytesType:
		f.b, m = protowire.ConsumeBytes(b[n:])
	default:
		m = protowire.ConsumeFieldValue(num, typ, b[n:])
	}
	if m < 0 {
		return f, 0, fmt.Errorf("%w: field %d: %v", ErrMalformed, num, protowire.ParseError(m))
	}
	return f, n + m, nil
}

// str stores a string field.
func (f field) str(p *string) error {
	if f.typ != protowire.BytesType {
		return f.wrongType("a string")
	}
	*p = string(f.b)
	return nil
}

// uint stores a number of at most max.
func (f field) uint(p *uint64, max uint64) error {
	if f.typ != protowire.VarintType {
		return f.wrongType("a number")
	}
	if f.v > max {
		return fmt.Errorf("%w: field %d is %d, more than the %d allowed", ErrMalformed, f.num, f.v, max)
	}
	*p = f.v
	return nil
}

func (f field) wrongType(want string) error {
	return fmt.Errorf("%w: field %d has wire type %d, want %s", ErrMalformed, f.num, f.typ, want)
}

func appendString(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
}

func appendUint(b []byte, num protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), v)
}
