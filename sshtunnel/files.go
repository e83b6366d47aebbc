package sshtunnel

import (
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/internal/reload"
)

// FileError says which file is at fault and why, in its fields File and Err. It
// never holds content of the file. It unwraps to its cause.
type FileError = reload.FileError

// FileOptions says how files are followed. The zero value is ready to use.
type FileOptions struct {
	// Recheck is how long content is used before the files are read again, at
	// the next handshake after it. Zero means a second, negative means at every
	// handshake.
	Recheck time.Duration
	// Log hears of new and of broken content. Nil is silent.
	Log *slog.Logger
	// Trace hears of the same. Nil, and any hook of it, may be left out.
	Trace *FileTrace
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// FileTrace is a set of hooks, each of which may be nil. They are called on the
// goroutine of the handshake that found the news, and are never given content of
// a file.
type FileTrace struct {
	// Reloaded is called when changed content has been taken, and when content
	// that had failed to load is good again.
	Reloaded func(file string)
	// ReloadFailed is called when a file cannot be used and the last good
	// content stays: once, until the reason changes or the file is good again.
	ReloadFailed func(file string, err error)
}

// reload returns o as package reload knows it.
func (o FileOptions) reload() reload.Options {
	r := reload.Options{Recheck: o.Recheck, Log: o.Log, Now: o.Now}
	if o.Trace != nil {
		r.Reloaded, r.ReloadFailed = o.Trace.Reloaded, o.Trace.ReloadFailed
	}
	return r
}
