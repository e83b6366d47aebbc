package mux

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
)

func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// golden is every kind of frame as bytes. They are the protocol: a change here
// breaks peers.
var golden = []struct {
	name  string
	h     header
	bytes string
}{
	{"open", header{typeWindow, flagSYN, 1, 28 << 10}, "00 01 0001 00000001 00007000"},
	{"accept", header{typeWindow, flagACK, 1, 28 << 10}, "00 01 0002 00000001 00007000"},
	{"data", header{typeData, 0, 3, 5}, "00 00 0000 00000003 00000005"},
	{"window", header{typeWindow, 0, 2, 16 << 10}, "00 01 0000 00000002 00004000"},
	{"half close", header{typeWindow, flagFIN, 1, 0}, "00 01 0004 00000001 00000000"},
	{"full close", header{typeWindow, flagFIN | flagStop, 1, 0}, "00 01 0014 00000001 00000000"},
	{"reset", header{typeWindow, flagRST, 1, uint32(ReasonReset)}, "00 01 0008 00000001 00000000"},
	{"cancel", header{typeWindow, flagRST, 1, uint32(ReasonCanceled)}, "00 01 0008 00000001 00000001"},
	{"refuse", header{typeWindow, flagRST, 1, uint32(ReasonRefused)}, "00 01 0008 00000001 00000002"},
	{"protocol", header{typeWindow, flagRST, 1, uint32(ReasonProtocol)}, "00 01 0008 00000001 00000003"},
	{"stalled", header{typeWindow, flagRST, 1, uint32(ReasonStalled)}, "00 01 0008 00000001 00000004"},
	{"ping", header{typePing, flagSYN, 0, 7}, "00 02 0001 00000000 00000007"},
	{"pong", header{typePing, flagACK, 0, 7}, "00 02 0002 00000000 00000007"},
	{"go away", header{typeGoAway, 0, 0, goAwayNormal}, "00 03 0000 00000000 00000000"},
	{"give up", header{typeGoAway, 0, 0, goAwayProtocol}, "00 03 0000 00000000 00000001"},
}

func TestGoldenHeaders(t *testing.T) {
	for _, g := range golden {
		want := unhex(g.bytes)
		if got := g.h.append(nil); !bytes.Equal(got, want) {
			t.Errorf("%s: encoded as %x, want %x", g.name, got, want)
		}
		if h, err := parseHeader(want); err != nil || h != g.h {
			t.Errorf("%s: parsed as %+v, %v, want %+v", g.name, h, err, g.h)
		}
	}
}

// TestGoldenConversation pins what a session really sends for each call.
func TestGoldenConversation(t *testing.T) {
	leak.Check(t)
	accepted := make(chan *Stream, 1)
	p := newPeer(t, Config{Client: true, Accept: func(st *Stream) { accepted <- st }})
	want := func(step, frame string, body string) {
		t.Helper()
		f := p.next()
		if got := f.header.append(nil); !bytes.Equal(got, unhex(frame)) || string(f.body) != body {
			t.Errorf("%s: %x %q, want %s %q", step, got, f.body, frame, body)
		}
	}
	open := func() *Stream {
		st, err := p.s.Open(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	st := open()
	want("Open", "00 01 0001 00000001 00007000", "")
	st.Write([]byte("hello"))
	want("Write", "00 00 0000 00000001 00000005", "hello")
	st.CloseWrite()
	want("CloseWrite", "00 01 0004 00000001 00000000", "")
	st.Close()
	want("Close after it", "00 01 0014 00000001 00000000", "")
	st = open()
	want("Open", "00 01 0001 00000003 00007000", "")
	st.Reset(ReasonCanceled)
	want("Reset", "00 01 0008 00000003 00000001", "")

	p.send(header{typ: typePing, flags: flagSYN, length: 9})
	want("pong", "00 02 0002 00000000 00000009", "")
	p.send(header{typ: typeWindow, flags: flagSYN, id: 2})
	st = <-accepted
	want("accept", "00 01 0002 00000002 00007000", "")
	p.send(header{typ: typeData, id: 2, length: 16 << 10}, make([]byte, 16<<10)...)
	io.ReadFull(st, make([]byte, 16<<10))
	want("window", "00 01 0000 00000002 00004000", "")
	st.Close()
	want("Close", "00 01 0014 00000002 00000000", "")

	p.s.GoAway()
	want("GoAway", "00 03 0000 00000000 00000000", "")
	p.send(header{typ: typeWindow, flags: flagSYN, id: 4})
	want("refuse", "00 01 0008 00000004 00000002", "")
}

func TestHeaderViolations(t *testing.T) {
	for name, b := range map[string]string{
		"version":            "01 00 0000 00000001 00000000",
		"type":               "00 04 0000 00000001 00000000",
		"data without id":    "00 00 0000 00000000 00000000",
		"window without id":  "00 01 0000 00000000 00000000",
		"ping with an id":    "00 02 0001 00000001 00000000",
		"go-away with an id": "00 03 0000 00000001 00000000",
	} {
		if _, err := parseHeader(unhex(b)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseHeader(f *testing.F) {
	for _, g := range golden {
		f.Add(unhex(g.bytes))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < headerSize {
			return
		}
		h, err := parseHeader(b)
		if err != nil {
			if !errors.Is(err, ErrProtocol) {
				t.Fatalf("not a protocol error: %v", err)
			}
			return
		}
		if got := h.append(nil); !bytes.Equal(got, b[:headerSize]) {
			t.Fatalf("%x became %x", b[:headerSize], got)
		}
		if (h.id == 0) != (h.typ >= typePing) {
			t.Fatalf("stream id %d on type %d", h.id, h.typ)
		}
	})
}
