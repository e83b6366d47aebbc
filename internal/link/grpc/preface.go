package grpc

import (
	"context"
	"encoding/binary"
	"io"
	"time"

	"golang.org/x/net/http2"
)

// ownMark is the SETTINGS_MAX_HEADER_LIST_SIZE of our agents. By it a server
// knows them before they have said anything, when it has to choose the windows:
// small ones for one stream per connection, which bound what a stalled one can
// hold, or those that gRPC fits to the road, for an agent whose connections all
// share one stream. It is a hint and proves nothing: an agent with the mark may
// still be refused streams, and one without it is not given them.
const ownMark = maxHeader + 0x5a11

// maxSettings bounds the first frame of a client, in bytes.
const maxSettings = 1 << 10

// isOwn reports whether the client's first words on w bear our mark. They are
// read again afterwards. What is no HTTP/2 is left for gRPC to complain about.
func (w *watched) isOwn(ctx context.Context, timeout time.Duration) bool {
	stop := context.AfterFunc(ctx, func() { w.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	w.SetReadDeadline(time.Now().Add(timeout))
	own := w.peekMark()
	if stop() {
		w.SetReadDeadline(time.Time{})
	}
	return own
}

func (w *watched) peekMark() bool {
	const header = 9
	first, err := w.peek(len(http2.ClientPreface) + header)
	if err != nil || string(first[:len(http2.ClientPreface)]) != http2.ClientPreface {
		return false
	}
	frame := first[len(http2.ClientPreface):]
	size := int(frame[0])<<16 | int(frame[1])<<8 | int(frame[2])
	if http2.FrameType(frame[3]) != http2.FrameSettings || size > maxSettings {
		return false
	}
	settings, err := w.peek(size)
	if err != nil {
		return false
	}
	for ; len(settings) >= 6; settings = settings[6:] {
		id := http2.SettingID(binary.BigEndian.Uint16(settings))
		if id == http2.SettingMaxHeaderListSize && binary.BigEndian.Uint32(settings[2:]) == ownMark {
			return true
		}
	}
	return false
}

// peek reads n bytes that Read will give again.
func (w *watched) peek(n int) ([]byte, error) {
	b := make([]byte, n)
	m, err := io.ReadFull(w.Conn, b)
	w.ahead = append(w.ahead, b[:m]...)
	return b[:m], err
}
