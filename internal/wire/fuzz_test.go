package wire

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"google.golang.org/grpc/mem"
)

func seeds(f *testing.F, add func(b []byte)) {
	f.Helper()
	var all []byte
	for _, g := range golden {
		add(unhex(g.bytes))
		all = append(all, unhex(g.bytes)...)
	}
	add(all)
	for _, m := range malformed {
		add(unhex(m.bytes))
	}
}

// FuzzParse: whatever the bytes, there is a packet or an error, the input is
// untouched, and a packet encoded and parsed once more is the same one.
func FuzzParse(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		p, err := Parse(b)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("%v does not say that the packet is malformed", err)
			}
			return
		}
		for _, part := range p.Payload {
			if !within(part, b) {
				t.Fatal("the payload was copied")
			}
		}
		once := Append(nil, &p)
		if !bytes.Equal(b, before) {
			t.Fatal("the input was written to")
		}
		again, err := Parse(once)
		if err != nil {
			t.Fatalf("%x became %x, which is malformed: %v", b, once, err)
		}
		requireSame(t, &again, &p)
		if twice := Append(nil, &again); !bytes.Equal(once, twice) {
			t.Fatalf("%x is encoded as %x and then as %x", b, once, twice)
		}
	})
}

// FuzzSplits: however a message is cut into buffers, it reads as it does in one
// piece, and every buffer goes back.
func FuzzSplits(f *testing.F) {
	seeds(f, func(b []byte) { f.Add(b, uint64(1)); f.Add(b, uint64(2)) })
	f.Fuzz(func(t *testing.T, b []byte, seed uint64) {
		whole, wantErr := Parse(b)
		data, pool := split(b, seed)
		var p Packet
		err := (Codec{}).Unmarshal(data, &p)
		data.Free()
		switch {
		case (err == nil) != (wantErr == nil), err != nil && err.Error() != wantErr.Error():
			t.Fatalf("cut up: %v, in one piece: %v", err, wantErr)
		case err == nil:
			requireSame(t, &p, &whole)
		}
		p.Free()
		if pool.gets != pool.puts {
			t.Fatalf("%d of %d buffers went back", pool.puts, pool.gets)
		}
	})
}

// split cuts b at random places, now and then with an empty buffer between.
func split(b []byte, seed uint64) (mem.BufferSlice, *countingPool) {
	r := rand.New(rand.NewPCG(seed, 0))
	pool := &countingPool{}
	var s mem.BufferSlice
	for len(b) > 0 {
		n := min(r.IntN(8), len(b))
		s, b = append(s, pool.buffer(b[:n])), b[n:]
	}
	return s, pool
}
