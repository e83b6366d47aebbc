package wire

import (
	"bytes"
	"testing"
	"unsafe"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

var _ encoding.CodecV2 = Codec{}

// countingPool counts buffers that are out.
type countingPool struct {
	gets, puts int
}

func (p *countingPool) Get(n int) *[]byte {
	p.gets++
	b := make([]byte, n)
	return &b
}

func (p *countingPool) Put(b *[]byte) {
	p.puts++
	clear(*b) // what is used after its Free shows
}

// buffer returns a counted buffer with a copy of b. Below a certain size gRPC
// does not count references, so it is a view into a larger one.
func (p *countingPool) buffer(b []byte) mem.Buffer {
	room := p.Get(max(len(b), 4096))
	copy(*room, b)
	whole := mem.NewBuffer(room, p)
	defer whole.Free()
	return whole.Slice(0, len(b))
}

// received cuts an encoded packet into buffers of size bytes, as gRPC hands it
// to a codec, from a pool that counts.
func received(b []byte, size int) (mem.BufferSlice, *countingPool) {
	pool := &countingPool{}
	var s mem.BufferSlice
	for len(b) > 0 {
		n := min(size, len(b))
		s, b = append(s, pool.buffer(b[:n])), b[n:]
	}
	return s, pool
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// within reports whether part lies in the memory of whole.
func within(part, whole []byte) bool {
	p, w := uintptr(unsafe.Pointer(unsafe.SliceData(part))), uintptr(unsafe.Pointer(unsafe.SliceData(whole)))
	return p >= w && p+uintptr(len(part)) <= w+uintptr(len(whole))
}

// TestUnmarshalKeepsBuffers: the payload stays where gRPC has put it, alive until
// Free and no longer, and Free is harmless a second time.
func TestUnmarshalKeepsBuffers(t *testing.T) {
	want := pattern(MaxData)
	data, pool := received(Append(nil, &Packet{Type: Data, ConnectID: 9, Payload: [][]byte{want}}), 16<<10)
	var views [][]byte
	for _, b := range data {
		views = append(views, b.ReadOnlyData())
	}
	var p Packet
	if err := (Codec{}).Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	data.Free() // as gRPC does when Unmarshal returns
	if p.Type != Data || p.ConnectID != 9 || p.Len() != len(want) || !bytes.Equal(bytes.Join(p.Payload, nil), want) {
		t.Errorf("%v for %d with %d bytes, want DATA for 9 with the %d sent", p.Type, p.ConnectID, p.Len(), len(want))
	}
	if pool.puts != 0 {
		t.Errorf("%d buffers went back while the packet uses them", pool.puts)
	}
	if len(p.Payload) != len(views) {
		t.Fatalf("%d parts, want one for each of the %d buffers", len(p.Payload), len(views))
	}
	for i, part := range p.Payload {
		if !within(part, views[i]) {
			t.Errorf("part %d was copied", i)
		}
	}
	for range 3 {
		p.Free()
	}
	if pool.puts != pool.gets {
		t.Errorf("%d of %d buffers went back", pool.puts, pool.gets)
	}
	if p.Payload != nil || p.Len() != 0 {
		t.Error("the payload is still there after Free")
	}
}

// TestUnmarshalKeepsNoMore: buffers without payload are gRPC's to reuse at once.
func TestUnmarshalKeepsNoMore(t *testing.T) {
	for _, g := range golden {
		data, pool := received(unhex(g.bytes), 3)
		var p Packet
		if err := (Codec{}).Unmarshal(data, &p); err != nil {
			t.Fatal(err)
		}
		data.Free()
		if g.p.Type == Data {
			p.Free()
		}
		if pool.puts != pool.gets {
			t.Errorf("%s: %d of %d buffers went back", g.name, pool.puts, pool.gets)
		}
		if g.p.Type != Data {
			requireSame(t, &p, &g.p) // although the buffers are cleared by now
		}
	}
}

// TestUnmarshalFailureKeepsNothing: a packet that turns out malformed behind its
// payload holds no buffer.
func TestUnmarshalFailureKeepsNothing(t *testing.T) {
	b := Append(nil, &Packet{Type: Data, Payload: [][]byte{pattern(100)}})
	data, pool := received(append(b, 0x0e), 10)
	var p Packet
	if err := (Codec{}).Unmarshal(data, &p); err == nil {
		t.Fatal("no error")
	}
	data.Free()
	if pool.puts != pool.gets {
		t.Errorf("%d of %d buffers went back", pool.puts, pool.gets)
	}
	p.Free()
}

// TestUnmarshalAgain: a packet used again gives the former buffers back first.
func TestUnmarshalAgain(t *testing.T) {
	first, pool := received(Append(nil, &Packet{Type: Data, Payload: [][]byte{pattern(100)}}), 64)
	var p Packet
	if err := (Codec{}).Unmarshal(first, &p); err != nil {
		t.Fatal(err)
	}
	first.Free()
	if err := (Codec{}).Unmarshal(crumbs(unhex("08 06 42 00"), 2), &p); err != nil {
		t.Fatal(err)
	}
	if pool.puts != pool.gets {
		t.Errorf("%d of %d buffers went back", pool.puts, pool.gets)
	}
	requireSame(t, &p, &Packet{Type: Drain})
}

// TestCrumbsAreGathered: many tiny buffers for one payload would hold far more
// memory than the payload has bytes.
func TestCrumbsAreGathered(t *testing.T) {
	want := pattern(10 << 10)
	data, pool := received(Append(nil, &Packet{Type: Data, ConnectID: 1, Payload: [][]byte{want}}), 16)
	var p Packet
	if err := (Codec{}).Unmarshal(data, &p); err != nil {
		t.Fatal(err)
	}
	data.Free()
	if len(p.Payload) != 1 || !bytes.Equal(p.Payload[0], want) {
		t.Errorf("%d parts, want one with all of the payload", len(p.Payload))
	}
	if pool.puts != pool.gets {
		t.Errorf("%d of %d buffers went back", pool.puts, pool.gets)
	}
}

// TestMarshalCopiesForeignPayload: a payload that is not the packet's own may
// change as soon as Marshal is back.
func TestMarshalCopiesForeignPayload(t *testing.T) {
	part := []byte("hello")
	p := &Packet{Type: Data, ConnectID: 2, Payload: [][]byte{part[:2], part[2:]}}
	out, err := (Codec{}).Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	copy(part, "XXXXX")
	if got, want := out.Materialize(), unhex("08 04 22 09 08 02 1a 05 68656c6c6f"); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
	if p.Len() != 5 {
		t.Error("the payload was taken")
	}
}

func TestCodecRefusesOthers(t *testing.T) {
	if (Codec{}).Name() != "proto" {
		t.Errorf("named %q", Codec{}.Name())
	}
	for _, v := range []any{nil, Packet{}, "text", new(int)} {
		if _, err := (Codec{}).Marshal(v); err == nil {
			t.Errorf("encoded a %T", v)
		}
		if err := (Codec{}).Unmarshal(nil, v); err == nil {
			t.Errorf("decoded into a %T", v)
		}
	}
}
