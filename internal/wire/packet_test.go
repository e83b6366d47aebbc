package wire

import (
	"bytes"
	"encoding/hex"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// golden is every type of packet as bytes. They are the protocol: a change here
// breaks peers. The first half of each was written with Konnectivity's own types.
var golden = []struct {
	name  string
	p     Packet
	bytes string
}{
	{"dial request", Packet{Type: DialReq, Protocol: "tcp", Address: "10.0.0.1:10250", Random: 1 << 62},
		"12 1f 0a 03 746370 12 0e 31302e302e302e313a3130323530 18 808080808080808040"},
	{"dial request with a deadline", Packet{Type: DialReq, Protocol: "tcp", Address: "a:1", Random: 7, Timeout: 1500 * time.Millisecond},
		"12 0f 0a 03 746370 12 03 613a31 18 07 78 dc0b"},
	{"empty dial request", Packet{Type: DialReq}, "12 00"},
	{"dial response", Packet{Type: DialRsp, ConnectID: 5, Random: 300}, "08 01 1a 05 10 05 18 ac02"},
	{"dial failure", Packet{Type: DialRsp, Error: "refused", Random: 7}, "08 01 1a 0b 0a 07 72656675736564 18 07"},
	{"dial failure with a kind", Packet{Type: DialRsp, Error: "no", Random: 7, Kind: 2, Hop: "target"},
		"08 01 1a 11 0a 02 6e6f 18 07 78 02 8201 06 746172676574"},
	{"dial response with addresses", Packet{Type: DialRsp, ConnectID: 1, Random: 7, Local: "a:1", Remote: "b:2"},
		"08 01 1a 10 10 01 18 07 8a01 03 613a31 9201 03 623a32"},
	{"close request", Packet{Type: CloseReq, ConnectID: 1}, "08 02 2a 02 08 01"},
	{"close response", Packet{Type: CloseRsp, ConnectID: 1}, "08 03 32 02 10 01"},
	{"close failure", Packet{Type: CloseRsp, ConnectID: 1, Error: "no", Kind: 3, Hop: "agent"},
		"08 03 32 10 0a 02 6e6f 10 01 78 03 8201 05 6167656e74"},
	{"data", Packet{Type: Data, ConnectID: 2, Payload: [][]byte{[]byte("hello")}}, "08 04 22 09 08 02 1a 05 68656c6c6f"},
	{"no data", Packet{Type: Data, ConnectID: 2}, "08 04 22 02 08 02"},
	{"data with an error", Packet{Type: Data, ConnectID: 2, Error: "x"}, "08 04 22 05 08 02 12 01 78"},
	{"negative connection", Packet{Type: CloseReq, ConnectID: -1}, "08 02 2a 0b 08 ffffffffffffffffff01"},
	{"dial close", Packet{Type: DialCls, Random: 7}, "08 05 3a 02 08 07"},
	{"drain", Packet{Type: Drain}, "08 06 42 00"},
	{"half close", Packet{Type: HalfClose, ConnectID: 1}, "08 64 a206 02 08 01"},
	{"ping", Packet{Type: Ping, Random: 7}, "08 65 aa06 02 08 07"},
	{"pong", Packet{Type: Pong, Random: 7}, "08 66 b206 02 08 07"},
	{"window", Packet{Type: Window, ConnectID: 1, Window: 32 << 10}, "08 67 ba06 06 08 01 10 808002"},
	{"dial request with a window", Packet{Type: DialReq, Protocol: "tcp", Address: "a:1", Random: 7, Window: 28 << 10},
		"12 11 0a 03 746370 12 03 613a31 18 07 8001 80e001"},
	{"dial response with a window", Packet{Type: DialRsp, ConnectID: 1, Random: 7, Window: 28 << 10},
		"08 01 1a 09 10 01 18 07 9801 80e001"},
	{"from the future", Packet{Type: 77}, "08 4d"},
	{"from a negative future", Packet{Type: -1}, "08 ffffffffffffffffff01"},
}

// sameContent compares what packets carry, not who holds the buffers.
var sameContent = cmp.Options{cmpopts.IgnoreUnexported(Packet{}), cmpopts.EquateEmpty()}

func TestGolden(t *testing.T) {
	for _, g := range golden {
		t.Run(g.name, func(t *testing.T) {
			want := unhex(g.bytes)
			if got := Append([]byte("before"), &g.p); !bytes.Equal(got, append([]byte("before"), want...)) {
				t.Errorf("encoded as %x behind %q, want %x", got, "before", want)
			}
			got, err := Parse(want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(g.p, got, sameContent); diff != "" {
				t.Errorf("parsed differently (-want +got):\n%s", diff)
			}
		})
	}
}

// requireSame fails unless both packets say the same, however their payload is
// cut into parts.
func requireSame(t *testing.T, got, want *Packet) {
	t.Helper()
	if a, b := bytes.Join(got.Payload, nil), bytes.Join(want.Payload, nil); !bytes.Equal(a, b) {
		t.Fatalf("payload of %d bytes (%.40x...), want %d (%.40x...)", len(a), a, len(b), b)
	}
	a, b := *got, *want
	a.Payload, b.Payload = nil, nil
	if diff := cmp.Diff(b, a, sameContent); diff != "" {
		t.Fatalf("packets differ (-want +got):\n%s", diff)
	}
}

func TestTypeNames(t *testing.T) {
	for typ, want := range map[Type]string{
		DialReq: "DIAL_REQ", DialRsp: "DIAL_RSP", CloseReq: "CLOSE_REQ", CloseRsp: "CLOSE_RSP",
		Data: "DATA", DialCls: "DIAL_CLS", Drain: "DRAIN",
		HalfClose: "HALF_CLOSE", Ping: "PING", Pong: "PONG", Window: "WINDOW", 77: "UNKNOWN_77", -1: "UNKNOWN_-1",
	} {
		if got := typ.String(); got != want {
			t.Errorf("type %d is called %s, want %s", typ, got, want)
		}
	}
}

// TestTimeoutRoundsUp: a little time left must not look like "nothing said".
func TestTimeoutRoundsUp(t *testing.T) {
	for give, want := range map[time.Duration]time.Duration{
		0: 0, 1: time.Millisecond, -time.Hour: time.Millisecond,
		time.Millisecond: time.Millisecond, time.Millisecond + 1: 2 * time.Millisecond,
		time.Hour: time.Hour, math.MaxInt64: math.MaxInt64 / time.Millisecond * time.Millisecond,
	} {
		p, err := Parse(Append(nil, &Packet{Timeout: give}))
		if err != nil || p.Timeout != want {
			t.Errorf("%v came through as %v, %v, want %v", give, p.Timeout, err, want)
		}
	}
}

// TestTextIsMadeValid: one byte of a foreign error text must not cost the stream
// that it is told on.
func TestTextIsMadeValid(t *testing.T) {
	p, err := Parse(Append(nil, &Packet{Type: DialRsp, Error: "no \xff\xfe route"}))
	if want := "no \uFFFD route"; err != nil || p.Error != want {
		t.Errorf("%q, %v, want %q", p.Error, err, want)
	}
}
