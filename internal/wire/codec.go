package wire

import (
	"fmt"

	"google.golang.org/grpc/mem"
)

// Codec is a gRPC encoding.CodecV2 for *Packet and nothing else. It goes to the
// gRPC client or server that wants it, never into gRPC's registry, which belongs
// to the program. It bears the name of gRPC's usual codec, since that is what it
// looks like from outside.
type Codec struct{}

// Name returns "proto".
func (Codec) Name() string { return "proto" }

// Marshal encodes a *Packet or a *Frame. A Frame moves into the result; the
// payload of a Packet is copied and stays the caller's.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *Frame:
		return m.encode(), nil
	case *Packet:
		if m.meter == nil {
			return mem.BufferSlice{mem.SliceBuffer(Append(make([]byte, 0, 64+m.Len()), m))}, nil
		}
		b := newBlock(m.Len())
		b.room = Append(b.room[:0], m)
		return b.handOver(0, len(b.room), m.meter), nil
	}
	return nil, fmt.Errorf("wire: cannot encode a %T, only a *wire.Packet or a *wire.Frame", v)
}

// Unmarshal decodes into a *Packet, whatever it held before. The payload stays
// in the buffers of data, of which the packet keeps those that it needs until
// its Free.
func (Codec) Unmarshal(data mem.BufferSlice, v any) error {
	p, ok := v.(*Packet)
	if !ok {
		return fmt.Errorf("wire: cannot decode into a %T, only a *wire.Packet", v)
	}
	p.Free()
	p.reset(0)
	if err := p.parse(rope{next: data, left: data.Len()}); err != nil {
		*p = Packet{} // the references were never taken
		return err
	}
	for _, b := range p.bufs {
		b.Ref()
	}
	return nil
}
