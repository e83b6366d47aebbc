package wire

import "testing"

// packets are the kinds of which a connection has one each, and data.
func packets() []struct {
	name   string
	packet *Packet
} {
	return []struct {
		name   string
		packet *Packet
	}{
		{"dial_req", &Packet{Type: DialReq, Protocol: "tcp", Address: "10.0.0.1:10250", Random: 1 << 62}},
		{"dial_rsp", &Packet{Type: DialRsp, Random: 1 << 62, ConnectID: 1}},
		{"data", &Packet{Type: Data, ConnectID: 1, Payload: [][]byte{make([]byte, MaxData)}}},
		{"close_rsp", &Packet{Type: CloseRsp, ConnectID: 1}},
	}
}

// BenchmarkAppend encodes a packet into room that is there; data is copied.
func BenchmarkAppend(b *testing.B) {
	for _, p := range packets() {
		b.Run("packet="+p.name, func(b *testing.B) {
			room := Append(nil, p.packet)
			b.SetBytes(int64(len(room)))
			b.ReportAllocs()
			for b.Loop() {
				room = Append(room[:0], p.packet)
			}
		})
	}
}

// BenchmarkParse decodes a packet; data is not copied.
func BenchmarkParse(b *testing.B) {
	for _, p := range packets() {
		b.Run("packet="+p.name, func(b *testing.B) {
			whole := Append(nil, p.packet)
			b.SetBytes(int64(len(whole)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(whole); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkMarshal is a DATA packet from the pool to gRPC and back to the pool.
// It allocates nothing.
func BenchmarkMarshal(b *testing.B) {
	b.Run("packet=data", func(b *testing.B) {
		b.SetBytes(MaxData)
		b.ReportAllocs()
		for b.Loop() {
			out, err := (Codec{}).Marshal(NewFrame(1, MaxData))
			if err != nil {
				b.Fatal(err)
			}
			out.Free()
		}
	})
}

// BenchmarkUnmarshal is a DATA packet in several buffers, as HTTP/2 brings it.
func BenchmarkUnmarshal(b *testing.B) {
	b.Run("packet=data", func(b *testing.B) {
		whole := Append(nil, &Packet{Type: Data, ConnectID: 1, Payload: [][]byte{make([]byte, MaxData)}})
		data, _ := received(whole, 16<<10)
		b.SetBytes(MaxData)
		b.ReportAllocs()
		for b.Loop() {
			var p Packet
			if err := (Codec{}).Unmarshal(data, &p); err != nil {
				b.Fatal(err)
			}
			p.Free()
		}
	})
}
