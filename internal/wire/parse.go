package wire

import (
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Parse reads a packet from its encoding. A payload is not copied: it aliases b.
// Unknown fields are passed over. A packet of an unknown type keeps its type and
// nothing else. Every error wraps [ErrMalformed]; a known type without its own
// payload message is one, except for DRAIN, which has nothing in it.
func Parse(b []byte) (Packet, error) {
	var p Packet
	err := p.parse(rope{piece: b, left: len(b)})
	if err != nil {
		return Packet{}, err
	}
	return p, nil
}

// parse reads the whole rope into p, which must be zero. It takes no references
// to the buffers: p.bufs are those that want one.
func (p *Packet) parse(r rope) error {
	var payload protowire.Number
	for r.left > 0 {
		num, typ, err := r.tag()
		if err != nil {
			return err
		}
		switch {
		case num == fieldType:
			var v int64
			err = r.number(num, typ, &v)
			p.Type = Type(v)
		case isPayload(num):
			// As everywhere in protocol buffers, the last one counts, and the same
			// one again adds to the first.
			if num != payload {
				p.reset(p.Type)
				payload = num
			}
			err = p.parsePayload(&r, num, typ)
		default:
			err = r.skip(num, typ, 0)
		}
		if err != nil {
			return err
		}
	}
	return p.check(payload)
}

// check says whether the payload is the one that belongs to the type.
func (p *Packet) check(payload protowire.Number) error {
	want := p.Type.field()
	switch {
	case want == 0: // a type from the future: what it carries means nothing to us
		p.reset(p.Type)
	case payload == 0 && p.Type == Drain:
	case payload == 0:
		return fmt.Errorf("%w: %v without its payload", ErrMalformed, p.Type)
	case payload != want:
		return fmt.Errorf("%w: %v with the payload in field %d, want %d", ErrMalformed, p.Type, payload, want)
	}
	return nil
}

// parsePayload reads one payload message.
func (p *Packet) parsePayload(r *rope, payload protowire.Number, typ protowire.Type) error {
	if typ != protowire.BytesType {
		return wrongType(payload, typ, "a message")
	}
	n, err := r.length()
	if err != nil {
		return err
	}
	behind := r.left - n
	r.left = n
	for r.left > 0 {
		num, typ, err := r.tag()
		if err != nil {
			return err
		}
		if err := p.set(r, payload, num, typ); err != nil {
			return err
		}
	}
	r.left = behind
	return nil
}

// set reads the value of field num in the message payload.
func (p *Packet) set(r *rope, payload, num protowire.Number, typ protowire.Type) error {
	switch payload {
	case fieldDialReq:
		switch num {
		case 1:
			return r.text(num, typ, &p.Protocol)
		case 2:
			return r.text(num, typ, &p.Address)
		case 3:
			return r.number(num, typ, &p.Random)
		case fieldTimeout:
			return r.timeout(num, typ, &p.Timeout)
		case fieldGrant:
			return r.number(num, typ, &p.Window)
		}
	case fieldDialRsp:
		switch num {
		case 3:
			return r.number(num, typ, &p.Random)
		case fieldLocal:
			return r.text(num, typ, &p.Local)
		case fieldRemote:
			return r.text(num, typ, &p.Remote)
		case fieldGranted:
			return r.number(num, typ, &p.Window)
		}
		return p.setOutcome(r, num, typ)
	case fieldCloseRsp:
		return p.setOutcome(r, num, typ)
	case fieldData:
		switch num {
		case 1:
			return r.number(num, typ, &p.ConnectID)
		case 2:
			return r.text(num, typ, &p.Error)
		case 3:
			return p.setData(r, num, typ)
		}
	case fieldCloseReq, fieldHalfClose:
		if num == 1 {
			return r.number(num, typ, &p.ConnectID)
		}
	case fieldDialCls, fieldPing, fieldPong:
		if num == 1 {
			return r.number(num, typ, &p.Random)
		}
	case fieldWindow:
		switch num {
		case 1:
			return r.number(num, typ, &p.ConnectID)
		case 2:
			return r.number(num, typ, &p.Window)
		}
	}
	return r.skip(num, typ, 0)
}

// setOutcome reads what DIAL_RSP and CLOSE_RSP have in common.
func (p *Packet) setOutcome(r *rope, num protowire.Number, typ protowire.Type) error {
	switch num {
	case 1:
		return r.text(num, typ, &p.Error)
	case 2:
		return r.number(num, typ, &p.ConnectID)
	case fieldKind:
		return r.kind(num, typ, &p.Kind)
	case fieldHop:
		return r.text(num, typ, &p.Hop)
	}
	return r.skip(num, typ, 0)
}

// setData takes the payload as it lies there.
func (p *Packet) setData(r *rope, num protowire.Number, typ protowire.Type) error {
	if typ != protowire.BytesType {
		return wrongType(num, typ, "bytes")
	}
	n, err := r.length()
	if err != nil {
		return err
	}
	p.Payload, p.parts, p.bufs = nil, p.parts[:0], p.bufs[:0]
	if n == 0 {
		return nil
	}
	count := r.parts(n)
	if count > 64 && n/count < 512 {
		// Somebody cuts a message into crumbs. Keeping each of them would take
		// many times what they hold.
		p.Payload = [][]byte{r.gather(n)}
		return nil
	}
	p.parts = slices.Grow(p.parts, count)
	for n > 0 {
		part := r.take(n)
		p.parts = append(p.parts, part)
		if r.owner != nil {
			p.bufs = append(p.bufs, r.owner)
		}
		n -= len(part)
	}
	p.Payload = p.parts
	return nil
}

// parts counts the pieces that the next n bytes lie in. 0 < n <= left.
func (r *rope) parts(n int) int {
	count := 0
	for ahead := *r; n > 0; count++ {
		n -= len(ahead.take(n))
	}
	return count
}

// gather copies the next n bytes. n <= left.
func (r *rope) gather(n int) []byte {
	b := make([]byte, 0, n)
	for len(b) < n {
		b = append(b, r.take(n-len(b))...)
	}
	return b
}

func (r *rope) text(num protowire.Number, typ protowire.Type, s *string) (err error) {
	if typ != protowire.BytesType {
		return wrongType(num, typ, "text")
	}
	*s, err = r.str()
	return err
}

func (r *rope) number(num protowire.Number, typ protowire.Type, v *int64) error {
	if typ != protowire.VarintType {
		return wrongType(num, typ, "a number")
	}
	u, err := r.varint()
	*v = int64(u)
	return err
}

// timeout reads milliseconds. Longer than a time.Duration can hold is the
// longest; negative is the shortest, as Append has it.
func (r *rope) timeout(num protowire.Number, typ protowire.Type, d *time.Duration) error {
	var ms int64
	err := r.number(num, typ, &ms)
	switch most := int64(math.MaxInt64 / time.Millisecond); {
	case ms < 0:
		ms = 1
	case ms > most:
		ms = most
	}
	*d = time.Duration(ms) * time.Millisecond
	return err
}

// kind reads a kind of failure. One beyond a byte is not among those we know: 0.
func (r *rope) kind(num protowire.Number, typ protowire.Type, k *uint8) error {
	var v int64
	err := r.number(num, typ, &v)
	if v < 0 || v > math.MaxUint8 {
		v = 0
	}
	*k = uint8(v)
	return err
}

func wrongType(num protowire.Number, typ protowire.Type, want string) error {
	return fmt.Errorf("%w: field %d has wire type %d, want %s", ErrMalformed, num, typ, want)
}
