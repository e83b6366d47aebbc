package wire

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// malformed is what no well-behaved peer sends, and a part of the words that the
// error must have.
var malformed = []struct{ name, bytes, words string }{
	{"nothing at all", "", "DIAL_REQ without its payload"},
	{"dial request alone", "08 00", "DIAL_REQ without its payload"},
	{"dial response alone", "08 01", "DIAL_RSP without its payload"},
	{"close request alone", "08 02", "CLOSE_REQ without its payload"},
	{"close response alone", "08 03", "CLOSE_RSP without its payload"},
	{"data alone", "08 04", "DATA without its payload"},
	{"dial close alone", "08 05", "DIAL_CLS without its payload"},
	{"half close alone", "08 64", "HALF_CLOSE without its payload"},
	{"ping alone", "08 65", "PING without its payload"},
	{"pong alone", "08 66", "PONG without its payload"},

	{"data with a close request", "08 04 2a 02 08 01", "DATA with the payload in field 5, want 4"},
	{"drain with data", "08 06 22 02 08 01", "DRAIN with the payload in field 4, want 8"},
	{"dial request with a response", "1a 00", "DIAL_REQ with the payload in field 3, want 2"},
	{"half close with a ping", "08 64 aa06 02 08 07", "HALF_CLOSE with the payload in field 101, want 100"},
	{"the last payload counts", "08 04 22 02 08 01 2a 02 08 01", "DATA with the payload in field 5, want 4"},

	{"tag cut off", "88", "ends inside"},
	{"type cut off", "08", "ends inside"},
	{"type of 65 bits", "08 ffffffffffffffffff02", "more than 64 bits"},
	{"type of 11 bytes", "08 8080808080808080808001", "more than 64 bits"},
	{"length cut off", "08 04 22", "ends inside"},
	{"length beyond the end", "08 04 22 03 08 01", "ends inside"},
	{"length of 2^63", "08 04 22 80808080808080808001", "ends inside"},
	{"negative length", "08 04 22 ffffffffffffffffff01", "ends inside"},
	{"inner length beyond the payload", "08 04 22 04 1a 05 6865 6c6c6f", "ends inside"},
	{"inner negative length", "08 04 22 0b 1a ffffffffffffffffff01", "ends inside"},
	{"inner number cut off", "08 02 2a 02 08 80", "ends inside"},
	{"inner number runs into the next field", "08 02 2a 02 08 80 01", "ends inside"},
	{"inner text cut off", "12 03 0a 02 74", "ends inside"},

	{"field 0", "00 00", "field number"},
	{"inner field 0", "08 02 2a 02 00 01", "field number"},
	{"field number too large", "8080808010 00", "field number"},
	{"field number of 61 bits", "f8ffffffffffffffff01 00", "field number"},
	{"end of a group that never began", "0c", "wire type 4"},
	{"wire type 6", "0e", "wire type 6"},
	{"wire type 7 of an unknown field", "4f", "wire type 7"},

	{"type as text", "0a 01 04 22 00", "field 1 has wire type 2, want a number"},
	{"payload as a number", "08 04 20 01", "field 4 has wire type 0, want a message"},
	{"payload as a group", "08 04 23 24", "field 4 has wire type 3, want a message"},
	{"protocol as a number", "12 02 08 01", "field 1 has wire type 0, want text"},
	{"address as a number", "12 02 10 01", "field 2 has wire type 0, want text"},
	{"random as text", "12 02 1a 00", "field 3 has wire type 2, want a number"},
	{"timeout as text", "12 02 7a 00", "field 15 has wire type 2, want a number"},
	{"error as a number", "08 01 1a 02 08 01", "field 1 has wire type 0, want text"},
	{"kind as text", "08 01 1a 02 7a 00", "field 15 has wire type 2, want a number"},
	{"hop as a number", "08 03 32 03 8001 01", "field 16 has wire type 0, want text"},
	{"local as a number", "08 01 1a 03 8801 01", "field 17 has wire type 0, want text"},
	{"remote as a number", "08 01 1a 03 9001 01", "field 18 has wire type 0, want text"},
	{"connection as 8 bytes", "08 02 2a 09 09 0100000000000000", "field 1 has wire type 1, want a number"},
	{"data as a number", "08 04 22 02 18 01", "field 3 has wire type 0, want bytes"},
	{"data's error as a number", "08 04 22 02 10 01", "field 2 has wire type 0, want text"},

	{"protocol not UTF-8", "12 03 0a 01 ff", "not UTF-8"},
	{"error not UTF-8", "08 03 32 04 0a 02 c328", "not UTF-8"},

	{"unknown 4 bytes cut off", "08 06 4d 000000", "ends inside"},
	{"unknown 8 bytes cut off", "08 06 49 00000000000000", "ends inside"},
	{"unknown bytes cut off", "08 06 4a 02 00", "ends inside"},
	{"unknown group cut off", "08 06 4b", "ends inside"},
	{"unknown group with another's end", "08 06 4b 54", "wire type 4"},
	{"groups without end", "08 06 " + strings.Repeat("4b", 200) + strings.Repeat("4c", 200), "100 groups"},
}

func TestMalformed(t *testing.T) {
	for _, tt := range malformed {
		t.Run(tt.name, func(t *testing.T) {
			b := unhex(tt.bytes)
			p, err := Parse(b)
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), tt.words) {
				t.Errorf("Parse: %+v, %v, want a malformed packet: %s", p, err, tt.words)
			}
			one := &Packet{Address: "from before"}
			if err := (Codec{}).Unmarshal(crumbs(b, 1), one); !errors.Is(err, ErrMalformed) {
				t.Errorf("in single bytes: %+v, %v, want a malformed packet", one, err)
			}
			if one.Address != "" {
				t.Error("a failed Unmarshal left something in the packet")
			}
		})
	}
}

// TestOddButValid is what looks malformed and must be taken.
func TestOddButValid(t *testing.T) {
	group := func(depth int) string {
		return strings.Repeat("4b", depth) + "08 01" + strings.Repeat("4c", depth)
	}
	for _, tt := range []struct {
		name, bytes string
		want        Packet
	}{
		{"drain alone", "08 06", Packet{Type: Drain}},
		{"payload before its type", "2a 02 08 05 08 02", Packet{Type: CloseReq, ConnectID: 5}},
		{"last type counts", "08 04 08 02 2a 02 08 05", Packet{Type: CloseReq, ConnectID: 5}},
		{"last payload counts", "08 02 22 04 08 01 1a 00 2a 02 08 05", Packet{Type: CloseReq, ConnectID: 5}},
		{"another payload takes the first one away", "12 05 0a 03 746370 22 00 12 02 18 01", Packet{Type: DialReq, Random: 1}},
		{"the same payload adds", "12 05 0a 03 746370 12 02 18 01", Packet{Type: DialReq, Protocol: "tcp", Random: 1}},
		{"the last data counts", "08 04 22 06 1a 01 61 1a 01 62", Packet{Type: Data, Payload: [][]byte{[]byte("b")}}},
		{"the last data is empty", "08 04 22 05 1a 01 61 1a 00", Packet{Type: Data}},
		{"numbers in more bytes than needed", "08 8400 22 8500 08 8200 1a 00", Packet{Type: Data, ConnectID: 2}},
		{"zeros written out", "12 08 0a 00 12 00 18 00 78 00", Packet{Type: DialReq}},
		{"type of more than 32 bits", "08 8480808010 22 02 08 02", Packet{Type: Data, ConnectID: 2}},
		{"unknown type with a known payload", "08 4d 22 02 08 02", Packet{Type: 77}},
		{"unknown fields around", "48 01 08 04 4d 00000000 22 02 08 02 49 0000000000000000 4a 01 00", Packet{Type: Data, ConnectID: 2}},
		{"unknown fields inside", "08 04 22 06 08 02 48 01 4a 00", Packet{Type: Data, ConnectID: 2}},
		{"unknown groups", group(3) + "08 04 22 02 08 02" + group(maxDepth), Packet{Type: Data, ConnectID: 2}},
		{"something in drain", "08 06 42 02 08 01", Packet{Type: Drain}},
		{"kind beyond a byte", "08 01 1a 03 78 8002", Packet{Type: DialRsp}},
		{"negative timeout", "12 0b 78 ffffffffffffffffff01", Packet{Type: DialReq, Timeout: 1e6}},
		{"timeout of ages", "12 0a 78 ffffffffffffffff7f", Packet{Type: DialReq, Timeout: 9223372036854 * 1e6}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Parse(unhex(tt.bytes))
			if err != nil {
				t.Fatal(err)
			}
			requireSame(t, &got, &tt.want)
		})
	}
}

// TestManyGroupsAreCheap: the time to skip is linear in the size of a packet.
func TestManyGroupsAreCheap(t *testing.T) {
	b := []byte{8, 6}
	for range MaxAccepted / 2 {
		b = protowire.AppendTag(b, 9, protowire.StartGroupType)
		b = protowire.AppendTag(b, 9, protowire.EndGroupType)
	}
	if p, err := Parse(b); err != nil || p.Type != Drain {
		t.Fatalf("%v, %v", p.Type, err)
	}
}

// crumbs cuts b into buffers of n bytes.
func crumbs(b []byte, n int) (s mem.BufferSlice) {
	for len(b) > 0 {
		k := min(n, len(b))
		s, b = append(s, mem.SliceBuffer(b[:k])), b[k:]
	}
	return s
}
