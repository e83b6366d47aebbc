package wire

import (
	"bytes"
	"testing"

	"google.golang.org/grpc/mem"
)

// sum is a Meter.
type sum struct{ now, most int }

func (s *sum) Count(n int) {
	s.now += n
	s.most = max(s.most, s.now)
}

// TestFrameIsData: a Frame looks like the packet with the same payload, whatever
// the sizes of the numbers in it.
func TestFrameIsData(t *testing.T) {
	for _, id := range []int64{0, 1, 127, 128, 1 << 40, -1} {
		for _, n := range []int{0, 1, 100, 127, 128, smallBlock - headRoom, smallBlock, 16 << 10, MaxData} {
			payload := pattern(n)
			out, err := (Codec{}).Marshal(frameOf(id, payload))
			if err != nil {
				t.Fatal(err)
			}
			want := Append(nil, &Packet{Type: Data, ConnectID: id, Payload: [][]byte{payload}})
			if got := out.Materialize(); !bytes.Equal(got, want) {
				t.Errorf("connection %d, %d bytes: encoded as %.40x, want %.40x", id, n, got, want)
			}
			out.Free()
		}
	}
}

// TestFrameHandsOver: what is filled in leaves without a copy, and gRPC holds the
// only reference then.
func TestFrameHandsOver(t *testing.T) {
	f := frameOf(3, pattern(MaxData))
	payload := f.Payload()
	out, err := (Codec{}).Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	whole := out[0]
	if len(out) != 1 || !within(payload, whole.ReadOnlyData()) {
		t.Error("the payload was copied")
	}
	out.Free()
	defer func() {
		if recover() == nil {
			t.Error("somebody else holds a reference to the buffer, or it has none")
		}
	}()
	whole.ReadOnlyData()
}

// TestMeter: what gRPC holds is counted, of frames and packets of any size, with
// the header that gRPC adds, until the last reference is gone.
func TestMeter(t *testing.T) {
	var s sum
	var held []mem.BufferSlice
	want := 0
	send := func(m any) {
		out, err := (Codec{}).Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		held, want = append(held, out), want+grpcHeader+out.Len()
	}
	for _, n := range []int{0, 1, 100, 3000, MaxData} {
		f := frameOf(3, pattern(n))
		f.SetMeter(&s)
		send(f)
	}
	for _, p := range []*Packet{{Type: Ping, Random: 1}, {Type: CloseRsp, Error: string(bytes.Repeat([]byte("x"), 5000))}} {
		p.SetMeter(&s)
		send(p)
	}
	if s.now != want {
		t.Errorf("%d bytes are counted, want %d", s.now, want)
	}
	for _, out := range held {
		out.Ref()
		out.Free()
	}
	if s.now != want {
		t.Errorf("%d bytes are counted while they are referred to, want %d", s.now, want)
	}
	for _, out := range held {
		out.Free()
	}
	if s.now != 0 || s.most != want {
		t.Errorf("%d bytes are counted at the end, %d at most, want 0 and %d", s.now, s.most, want)
	}
}

// TestUnsentFrame: Free gives the memory back, and gRPC never heard of it.
func TestUnsentFrame(t *testing.T) {
	var s sum
	f := NewFrame(1, 100)
	f.SetMeter(&s)
	f.Free()
	if s.most != 0 {
		t.Errorf("%d bytes were counted", s.most)
	}
}
