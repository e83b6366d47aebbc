package mux

import (
	"cmp"
	"math"
	"time"
)

// Config says how a session behaves. Both ends must agree on Plain; everything
// else is local.
type Config struct {
	// Client is true at the end that opened the conn. It opens odd stream ids.
	Client bool

	// Plain speaks yamux as published: every stream starts with a window of
	// 256 KiB and there is no STOP flag. Memory is then bounded by the number of
	// streams alone.
	Plain bool

	// Accept is called for each stream the peer opens, on the session's reader:
	// it must not block. Nil refuses every stream.
	Accept func(*Stream)

	// MaxStreams bounds the streams the peer may have open. Zero means 8192.
	MaxStreams int

	// MaxWindow bounds how far one stream's receive window grows, in bytes. Zero
	// means 64 MiB; the session's memory bounds it further.
	MaxWindow int

	// Memory bounds the sum of all receive windows of the session, in bytes. Zero
	// means 64 MiB. A stream beyond it is refused.
	Memory int

	// KeepAlive is the time between pings. The peer is dead when nothing at all
	// has arrived for two of them after a silent one. Zero means 4 s, which
	// notices within 12 s; negative sends none.
	KeepAlive time.Duration
}

// Windows. A stream starts with minWindow, which both ends assume and in which a
// request fits, is granted baseWindow at once while memory is plentiful, and
// grows from there as its reader keeps up.
const (
	minWindow   = 4 << 10
	baseWindow  = 32 << 10
	plainWindow = 256 << 10
)

func (c *Config) maxStreams() int          { return cmp.Or(c.MaxStreams, 8192) }
func (c *Config) maxWindow() int           { return max(cmp.Or(c.MaxWindow, 64<<20), minWindow) }
func (c *Config) keepAlive() time.Duration { return cmp.Or(c.KeepAlive, 4*time.Second) }

func (c *Config) memory() int {
	if c.Plain {
		return math.MaxInt // the protocol's fixed window is granted to anybody
	}
	return cmp.Or(c.Memory, 64<<20)
}

// growth is what a window grows to at most. A plain peer's stays as it is.
func (c *Config) growth() int64 {
	if c.Plain {
		return 0
	}
	return int64(c.maxWindow())
}

// startWindow is the window both ends assume before any update.
func (c *Config) startWindow() int {
	if c.Plain {
		return plainWindow
	}
	return minWindow
}
