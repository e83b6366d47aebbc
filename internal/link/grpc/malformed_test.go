package grpc

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
)

// plainBytes is a codec for messages that no well-behaved peer sends.
type plainBytes struct{}

func (plainBytes) Name() string { return "proto" }

func (plainBytes) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (plainBytes) Unmarshal(data mem.BufferSlice, v any) error {
	return fmt.Errorf("not wanted: %d bytes into a %T", data.Len(), v)
}

// malformed are packets without the payload of their type, and worse.
var malformed = map[string][]byte{
	"a packet of no bytes":  {},
	"DIAL_REQ of nothing":   {0x08, 0},
	"DIAL_RSP of nothing":   {0x08, 1},
	"CLOSE_REQ of nothing":  {0x08, 2},
	"CLOSE_RSP of nothing":  {0x08, 3},
	"DATA of nothing":       {0x08, 4},
	"DIAL_CLS of nothing":   {0x08, 5},
	"another one's payload": {0x08, 4, 0x12, 0},
	"half a field":          {0x08, 4, 0x22, 0x7f, 1},
	"noise":                 {0xff, 0xff, 0xff},
}

// A packet that makes no sense ends the stream it came on, with a status that
// says so. It ends nothing else, the process least of all.
func TestMalformedPacketsToTheServer(t *testing.T) {
	for name, packet := range malformed {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				downs := make(chan error, 1)
				_, r := rawSessionOf(t, anAgent, func(l *Server) { l.Down = func(_ *Session, err error) { downs <- err } }, grpc.ForceCodecV2(plainBytes{}))
				r.stream.SendMsg(packet)
				if err := <-downs; err == nil || !strings.Contains(err.Error(), "malformed") {
					t.Errorf("the session ended with %v", err)
				}
			})
		})
	}
}

func TestMalformedPacketsToTheAgent(t *testing.T) {
	for name, packet := range malformed {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRawServer(t, upstreamHeader, nil)
				r.stream.SendMsg(packet)
				err := <-r.ran
				r.ran <- nil
				if err == nil || !strings.Contains(err.Error(), "malformed") {
					t.Errorf("Run: %v", err)
				}
			})
		})
	}
}
