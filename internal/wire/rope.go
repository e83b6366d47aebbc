package wire

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformed marks a packet that no well-behaved peer sends.
var ErrMalformed = errors.New("malformed packet")

var errTruncated = fmt.Errorf("%w: it ends inside a field", ErrMalformed)

// maxDepth bounds groups within groups in fields that we skip.
const maxDepth = 100

// rope reads an encoded message that lies in several buffers, front to back.
type rope struct {
	piece []byte          // what is left of the buffer being read
	owner mem.Buffer      // that buffer; nil for plain bytes
	next  mem.BufferSlice // the buffers behind it
	left  int             // bytes until the end of the message being read
}

// fill makes piece non-empty. left must be above 0.
func (r *rope) fill() {
	for len(r.piece) == 0 {
		r.owner, r.next = r.next[0], r.next[1:]
		r.piece = r.owner.ReadOnlyData()
	}
}

// take returns up to n of the next bytes, those that lie together.
// 0 < n <= left.
func (r *rope) take(n int) []byte {
	r.fill()
	n = min(n, len(r.piece))
	b := r.piece[:n:n]
	r.piece = r.piece[n:]
	r.left -= n
	return b
}

// varint reads a number.
func (r *rope) varint() (uint64, error) {
	var v uint64
	for shift := 0; r.left > 0; shift += 7 {
		b := r.take(1)[0]
		if shift == 63 && b > 1 {
			return 0, fmt.Errorf("%w: a number of more than 64 bits", ErrMalformed)
		}
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v, nil
		}
	}
	return 0, errTruncated
}

// tag reads what stands before each field.
func (r *rope) tag() (protowire.Number, protowire.Type, error) {
	v, err := r.varint()
	if err != nil {
		return 0, 0, err
	}
	num, typ := protowire.DecodeTag(v)
	if num < protowire.MinValidNumber || num > protowire.MaxValidNumber {
		return 0, 0, fmt.Errorf("%w: field number out of range", ErrMalformed)
	}
	return num, typ, nil
}

// length reads the length of what follows and checks that it is there.
func (r *rope) length() (int, error) {
	v, err := r.varint()
	if err != nil {
		return 0, err
	}
	if v > uint64(r.left) {
		return 0, errTruncated
	}
	return int(v), nil
}

// str reads a string.
func (r *rope) str() (string, error) {
	n, err := r.length()
	if err != nil {
		return "", err
	}
	var s string
	if n > 0 {
		s = string(r.take(n))
	}
	if n > len(s) {
		var b strings.Builder
		b.Grow(n)
		b.WriteString(s)
		for b.Len() < n {
			b.Write(r.take(n - b.Len()))
		}
		s = b.String()
	}
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%w: text that is not UTF-8", ErrMalformed)
	}
	return s, nil
}

// drop passes over n bytes.
func (r *rope) drop(n int) error {
	if n > r.left {
		return errTruncated
	}
	for n > 0 {
		n -= len(r.take(n))
	}
	return nil
}

// skip passes over the value of a field that we do not know. depth is 0 outside
// of any group.
func (r *rope) skip(num protowire.Number, typ protowire.Type, depth int) error {
	switch typ {
	case protowire.VarintType:
		_, err := r.varint()
		return err
	case protowire.Fixed32Type:
		return r.drop(4)
	case protowire.Fixed64Type:
		return r.drop(8)
	case protowire.BytesType:
		n, err := r.length()
		if err != nil {
			return err
		}
		return r.drop(n)
	case protowire.StartGroupType:
		return r.skipGroup(num, depth+1)
	}
	return fmt.Errorf("%w: field %d has wire type %d", ErrMalformed, num, typ)
}

// skipGroup passes over fields up to the end of group num.
func (r *rope) skipGroup(num protowire.Number, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: more than %d groups within each other", ErrMalformed, maxDepth)
	}
	for {
		n, typ, err := r.tag()
		switch {
		case err != nil:
			return err
		case typ == protowire.EndGroupType && n == num:
			return nil
		}
		if err := r.skip(n, typ, depth); err != nil {
			return err
		}
	}
}
