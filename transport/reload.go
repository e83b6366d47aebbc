package transport

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultRecheck is how long read content is used before its files are looked
// at again, where nobody chose.
const DefaultRecheck = time.Second

// FileOptions says how files are followed. The zero value is ready to use.
type FileOptions struct {
	// Recheck is how long content is used before the files are read again, at
	// the next handshake after it. Zero means DefaultRecheck, negative means at
	// every handshake.
	Recheck time.Duration
	// Log hears of new and of broken content. Nil is silent.
	Log *slog.Logger
	// Trace hears of the same. Nil, and any hook of it, may be left out.
	Trace *FileTrace
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// FileTrace is a set of hooks, each of which may be nil. They are called on the
// goroutine of the handshake that found the news, one at a time for each CAFile
// or KeyPair. They are never given content of a file.
type FileTrace struct {
	// Reloaded is called when changed content has been taken, and when content
	// that had failed to load is good again. For a KeyPair, file is that of the
	// certificate.
	Reloaded func(file string)
	// ReloadFailed is called when a file cannot be used and the last good
	// content stays: once, until the reason changes or the file is good again.
	ReloadFailed func(file string, err error)
}

// A reloader holds a T made from files and makes a new one when they change.
type reloader[T any] struct {
	files   []string                 // the first one stands for them all in reports
	load    func() (contents, error) // reads files
	parse   func(data [][]byte) (T, error)
	recheck time.Duration
	now     func() time.Time
	log     *slog.Logger
	trace   FileTrace

	current atomic.Pointer[snapshot[T]]

	mu      sync.Mutex // held by the one that reads; guards what follows
	taken   []sum      // of what current was made of
	failure string     // the failure last reported, empty when all is well
}

// snapshot is what a reloader knows. It is never changed.
type snapshot[T any] struct {
	value   T
	checked time.Time
}

func (s *snapshot[T]) fresh(now time.Time, recheck time.Duration) bool {
	age := now.Sub(s.checked)
	// A clock that was set back must not put the next look off for long.
	return age >= 0 && age < recheck
}

// newReloader loads files for the first time; a failure is the caller's.
func newReloader[T any](files []string, limit int64, parse func([][]byte) (T, error), opts FileOptions) (*reloader[T], error) {
	r := &reloader[T]{
		files:   files,
		load:    func() (contents, error) { return readFiles(files, limit) },
		parse:   parse,
		recheck: cmp.Or(opts.Recheck, DefaultRecheck),
		now:     opts.Now,
		log:     opts.Log,
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if opts.Trace != nil {
		r.trace = *opts.Trace
	}
	s := &snapshot[T]{checked: r.now()}
	c, err := r.read()
	if err == nil {
		s.value, err = r.parse(c.data)
	}
	if err != nil {
		return nil, err
	}
	r.taken = c.sums
	r.current.Store(s)
	return r, nil
}

// get returns the value of this moment. It reads the files when the last look
// is old and nobody else is reading; it never waits for another's reading.
func (r *reloader[T]) get() T {
	s, now := r.current.Load(), r.now()
	if s.fresh(now, r.recheck) || !r.mu.TryLock() {
		return s.value
	}
	defer r.mu.Unlock()
	if s = r.current.Load(); s.fresh(now, r.recheck) {
		return s.value // somebody read between the look and the lock
	}
	return r.look(s, now)
}

// look reads the files and takes what is new and good. The caller holds mu.
func (r *reloader[T]) look(old *snapshot[T], now time.Time) T {
	next := &snapshot[T]{value: old.value, checked: now}
	c, err := r.read()
	changed := err == nil && !slices.Equal(c.sums, r.taken)
	if changed {
		var v T
		if v, err = r.parse(c.data); err == nil {
			next.value, r.taken = v, c.sums
		}
	}
	r.current.Store(next)
	r.report(changed, err)
	return next.value
}

// settle is how often changed files are read again to see them all at rest.
const settle = 3

// read reads the files and, when they changed, reads on until two looks agree:
// a swap between two files must not show half of each set.
func (r *reloader[T]) read() (contents, error) {
	c, err := r.load()
	if err != nil || slices.Equal(c.sums, r.taken) {
		return c, err
	}
	for range settle {
		again, err := r.load()
		if err != nil || slices.Equal(again.sums, c.sums) {
			return again, err
		}
		c = again
	}
	return c, nil
}

// report tells of new content, of a new failure and of its end. The caller
// holds mu; a hook that asks for the value all the same gets the current one.
func (r *reloader[T]) report(changed bool, err error) {
	if err == nil {
		if changed || r.failure != "" {
			r.failure = ""
			r.log.Info("reloaded", "file", r.files[0])
			if r.trace.Reloaded != nil {
				r.trace.Reloaded(r.files[0])
			}
		}
		return
	}
	if err.Error() == r.failure {
		return
	}
	r.failure = err.Error()
	file := r.files[0]
	if fe, ok := err.(*FileError); ok {
		file = fe.File
	}
	r.log.Warn("reload failed, keeping the last good content", "file", file, "err", err)
	if r.trace.ReloadFailed != nil {
		r.trace.ReloadFailed(file, err)
	}
}
