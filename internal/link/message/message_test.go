package message

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport/sallyport/dialer"
)

// golden are the messages whose bytes SPEC.md shows, and the rest of the kinds.
var golden = []struct {
	name   string
	m      Message
	hex    string
	inSpec bool
}{
	{"hello", &Hello{Version: 1, AgentID: "edge", Instance: "i1", Identifiers: "default-route=true"},
		"20 08 01 12 04 65 64 67 65 1a 02 69 31 22 12 64 65 66 61 75 6c 74 2d 72 6f 75 74 65 3d 74 72 75 65", true},
	{"request", &Request{Network: "tcp", Address: "10.0.0.1:80", Timeout: 1500 * time.Millisecond},
		"15 0a 03 74 63 70 12 0b 31 30 2e 30 2e 30 2e 31 3a 38 30 18 dc 0b", true},
	{"reply", &Reply{Version: 1, ServerID: "srv", ServerCount: 3}, "09 08 01 12 03 73 72 76 18 03", false},
	{"refusal", &Reply{Version: 1, Status: Denied, Text: "no"}, "08 08 01 20 01 2a 02 6e 6f", false},
	{"answer", &Answer{Local: "a:1", Remote: "b:2"}, "0a 2a 03 61 3a 31 32 03 62 3a 32", false},
	{"failure", &Answer{Failed: true, Kind: dialer.Refused, Hop: "target", Text: "no"},
		"10 08 01 10 02 1a 06 74 61 72 67 65 74 22 02 6e 6f", false},
	{"drain", &Control{Op: Drain}, "02 08 01", false},
	{"features", &Hello{Version: 1, AgentID: "e", Features: []string{"x", "y"}, Draining: true},
		"0d 08 01 12 01 65 2a 01 78 2a 01 79 38 01", false},
	{"token", &Hello{Version: 1, AgentID: "e", Token: "a.b"}, "0a 08 01 12 01 65 42 03 61 2e 62", false},
	{"no credential", &Reply{Version: 1, Status: Unauthenticated}, "04 08 01 20 05", false},
}

func fresh(m Message) Message {
	switch m.(type) {
	case *Hello:
		return new(Hello)
	case *Reply:
		return new(Reply)
	case *Request:
		return new(Request)
	case *Answer:
		return new(Answer)
	}
	return new(Control)
}

func TestGolden(t *testing.T) {
	spec, err := os.ReadFile("../../../SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`\s+`).ReplaceAllString(string(spec), " ")
	for _, g := range golden {
		want, err := hex.DecodeString(strings.ReplaceAll(g.hex, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := Append(nil, g.m); !bytes.Equal(got, want) {
			t.Errorf("%s: % x, want %s", g.name, got, g.hex)
		}
		m, r := fresh(g.m), bytes.NewReader(append(want, "rest"...))
		if err := Read(r, m); err != nil {
			t.Errorf("%s: %v", g.name, err)
		} else if d := cmp.Diff(g.m, m); d != "" {
			t.Errorf("%s: %s", g.name, d)
		}
		if rest, _ := io.ReadAll(r); string(rest) != "rest" {
			t.Errorf("%s: Read left %q of what follows the message", g.name, rest)
		}
		if g.inSpec && !strings.Contains(text, g.hex) {
			t.Errorf("%s: SPEC.md does not show %s", g.name, g.hex)
		}
	}
}

func TestMalformed(t *testing.T) {
	for name, c := range map[string]struct {
		m   Message
		hex string
	}{
		"hello without version":   {new(Hello), "03 12 01 65"},
		"hello without id":        {new(Hello), "02 08 01"},
		"hello of nothing":        {new(Hello), "00"},
		"request of nothing":      {new(Request), "00"},
		"reply without version":   {new(Reply), "00"},
		"string as number":        {new(Hello), "03 0a 01 65"},
		"number as string":        {new(Request), "02 08 01"},
		"bool of two":             {new(Answer), "02 08 02"},
		"length over the message": {new(Hello), "03 12 7f 65"},
		"too long":                {new(Hello), "81 80 04"},
		"truncated tag":           {new(Control), "01 80"},
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(c.hex, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		if err := Read(bytes.NewReader(b), c.m); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		}
	}
	if err := Read(bytes.NewReader([]byte{5, 1}), new(Hello)); err != io.ErrUnexpectedEOF {
		t.Errorf("short message: %v", err)
	}
	if err := Read(bytes.NewReader(nil), new(Hello)); err != io.ErrUnexpectedEOF {
		t.Errorf("no message: %v", err)
	}
	if err := Write(io.Discard, &Hello{AgentID: strings.Repeat("x", MaxSize)}); err == nil {
		t.Error("a message the far end must refuse was written")
	}
}

func TestLongTimeoutsAreClamped(t *testing.T) {
	b := Append(nil, &Request{Network: "tcp", Address: "a:1", Timeout: 1000 * time.Hour})
	var r Request
	if err := Read(bytes.NewReader(b), &r); err != nil || r.Timeout != maxTimeout {
		t.Errorf("sent long: %v, %v", r.Timeout, err)
	}
	forever := append([]byte{0x0a, 1, 't', 0x12, 1, 'a', 0x18}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1)
	if err := Parse(forever, &r); err != nil || r.Timeout != maxTimeout {
		t.Errorf("received long: %v, %v", r.Timeout, err)
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	b := []byte{0x08, 1, 0xfa, 0x01, 3, 'x', 'y', 'z', 0xf9, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0x12, 1, 'e'}
	var h Hello
	if err := Parse(b, &h); err != nil || h.AgentID != "e" || h.Version != 1 {
		t.Errorf("%+v, %v", h, err)
	}
}

// FuzzParse checks that no bytes make a message panic, and that what parses
// stays the same through another round.
func FuzzParse(f *testing.F) {
	for i, g := range golden {
		f.Add(byte(i), Append(nil, g.m)[1:])
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		proto := golden[int(kind)%len(golden)].m
		m := fresh(proto)
		if Parse(b, m) != nil {
			return
		}
		again := fresh(proto)
		if err := Parse(m.appendTo(nil), again); err != nil {
			t.Fatalf("%+v does not survive: %v", m, err)
		}
		if d := cmp.Diff(m, again); d != "" {
			t.Fatal(d)
		}
	})
}
