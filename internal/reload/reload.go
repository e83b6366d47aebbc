package reload

import (
	"cmp"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/files"
)

// Value holds a T made from files and makes a new one when they change. It
// starts no goroutine and is safe for concurrent use.
type Value[T any] struct {
	paths []string                 // the first one stands for them all in reports
	load  func() (contents, error) // reads paths
	parse func(data [][]byte) (T, error)
	opts  files.Options

	current atomic.Pointer[snapshot[T]]

	mu      sync.Mutex // held by the one that reads; guards what follows
	taken   []sum      // of what current was made of
	failure string     // the failure last reported, empty when all is well
}

// snapshot is what a Value knows. It is never changed.
type snapshot[T any] struct {
	value   T
	checked time.Time
}

func (s *snapshot[T]) fresh(now time.Time, recheck time.Duration) bool {
	age := now.Sub(s.checked)
	// A clock that was set back must not put the next look off for long.
	return age >= 0 && age < recheck
}

// New loads paths for the first time, each of at most limit bytes; a failure is
// the caller's. parse gets their content in the order of paths. It must not keep
// secrets in its errors, which are reported.
func New[T any](paths []string, limit int64, parse func([][]byte) (T, error), opts files.Options) (*Value[T], error) {
	opts.Recheck = cmp.Or(opts.Recheck, files.DefaultRecheck)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Trace == nil {
		opts.Trace = new(files.Trace)
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	r := &Value[T]{
		paths: paths,
		load:  func() (contents, error) { return readFiles(paths, limit) },
		parse: parse,
		opts:  opts,
	}
	s := &snapshot[T]{checked: r.opts.Now()}
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

// Get returns the value of this moment. It reads the files when the last look
// is old and nobody else is reading; it never waits for another's reading.
func (r *Value[T]) Get() T {
	s, now := r.current.Load(), r.opts.Now()
	if s.fresh(now, r.opts.Recheck) || !r.mu.TryLock() {
		return s.value
	}
	defer r.mu.Unlock()
	if s = r.current.Load(); s.fresh(now, r.opts.Recheck) {
		return s.value // somebody read between the look and the lock
	}
	return r.look(s, now)
}

// look reads the files and takes what is new and good. The caller holds mu.
func (r *Value[T]) look(old *snapshot[T], now time.Time) T {
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
func (r *Value[T]) read() (contents, error) {
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
func (r *Value[T]) report(changed bool, err error) {
	if err == nil {
		if changed || r.failure != "" {
			r.failure = ""
			r.opts.Log.Info("reloaded", "file", r.paths[0])
			if r.opts.Trace.Reloaded != nil {
				r.opts.Trace.Reloaded(r.paths[0])
			}
		}
		return
	}
	if err.Error() == r.failure {
		return
	}
	r.failure = err.Error()
	file := r.paths[0]
	if fe, ok := err.(*files.Error); ok {
		file = fe.File
	}
	r.opts.Log.Warn("reload failed, keeping the last good content", "file", file, "err", err)
	if r.opts.Trace.ReloadFailed != nil {
		r.opts.Trace.ReloadFailed(file, err)
	}
}
