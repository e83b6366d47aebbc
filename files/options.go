package files

import (
	"log/slog"
	"time"
)

// DefaultRecheck is how long read content is used before its files are looked at
// again, where nobody chose.
const DefaultRecheck = time.Second

// Options says how files are followed. The zero value is ready to use.
type Options struct {
	// Recheck is how long content is used before the files are read again, when it
	// is next asked for: at a handshake, or at a dial that wants the list of nodes.
	// Zero means DefaultRecheck, negative means each time.
	Recheck time.Duration
	// Log hears of new and of broken content. Nil is silent.
	Log *slog.Logger
	// Trace hears of the same. Nil, and any hook of it, may be left out.
	Trace *Trace
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Trace is a set of hooks, each of which may be nil. They are called on the
// goroutine that found the news, that of a handshake or of a dial, one at a time for
// each thing that is made of files. They are never given content of a file.
type Trace struct {
	// Reloaded is called when changed content has been taken, and when content
	// that had failed to load is good again. Of several files that belong together
	// it gets the first one, such as that of the certificate.
	Reloaded func(file string)
	// ReloadFailed is called when a file cannot be used and the last good
	// content stays: once, until the reason changes or the file is good again.
	ReloadFailed func(file string, err error)
}
