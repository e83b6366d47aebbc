package wire

import "testing"

// BenchmarkMarshalData is a DATA packet from the pool to gRPC and back to the
// pool, without an allocation.
func BenchmarkMarshalData(b *testing.B) {
	b.SetBytes(MaxData)
	b.ReportAllocs()
	for b.Loop() {
		out, err := (Codec{}).Marshal(NewFrame(1, MaxData))
		if err != nil {
			b.Fatal(err)
		}
		out.Free()
	}
}

// BenchmarkUnmarshalData is a DATA packet in three buffers, as HTTP/2 brings it.
func BenchmarkUnmarshalData(b *testing.B) {
	whole := Append(nil, &Packet{Type: Data, ConnectID: 1, Payload: [][]byte{make([]byte, MaxData)}})
	data, _ := received(whole, 16<<10)
	b.SetBytes(MaxData)
	b.ReportAllocs()
	var p Packet
	for b.Loop() {
		if err := (Codec{}).Unmarshal(data, &p); err != nil {
			b.Fatal(err)
		}
		p.Free()
	}
}

func BenchmarkAppendDialReq(b *testing.B) {
	p := &Packet{Protocol: "tcp", Address: "10.0.0.1:10250", Random: 1 << 62}
	room := make([]byte, 0, 64)
	b.ReportAllocs()
	for b.Loop() {
		Append(room, p)
	}
}

func BenchmarkParseDialReq(b *testing.B) {
	whole := Append(nil, &Packet{Protocol: "tcp", Address: "10.0.0.1:10250", Random: 1 << 62})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(whole); err != nil {
			b.Fatal(err)
		}
	}
}
