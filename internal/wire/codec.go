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

// Marshal encodes a *Packet. The payload of one made by [NewData] moves into the
// result, so that the packet is left without it; any other payload is copied and
// stays the caller's.
func (Codec) Marshal(v any) (mem.BufferSlice, error) {
	p, ok := v.(*Packet)
	if !ok {
		return nil, fmt.Errorf("wire: cannot encode a %T, only a *wire.Packet", v)
	}
	if p.filled && p.Type == Data {
		head := mem.SliceBuffer(appendHead(make([]byte, 0, 32), p))
		out := mem.BufferSlice{head, p.bufs[0]}
		p.bufs, p.Payload, p.filled = nil, nil, false
		return out, nil
	}
	return mem.BufferSlice{mem.SliceBuffer(Append(make([]byte, 0, 64+p.Len()), p))}, nil
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
	*p = Packet{}
	if err := p.parse(rope{next: data, left: data.Len()}); err != nil {
		*p = Packet{}
		return err
	}
	for _, b := range p.bufs {
		b.Ref()
	}
	return nil
}
