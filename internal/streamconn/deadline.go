package streamconn

import (
	"sync"
	"time"
)

// Deadline is a point in time after which calls on one direction of a conn
// fail. The zero value has none. It is safe for concurrent use.
//
// A blocked call selects on Done. The channel exists only once somebody waits or
// sets a deadline, so that conns which do neither pay nothing.
type Deadline struct {
	mu    sync.Mutex
	timer *time.Timer
	done  chan struct{} // nil until needed; closed once the deadline has passed
	past  bool
	turn  uint64  // tells the timer of an earlier Set from the current one
	tell  expirer // may be nil
}

// expirer wants to know when a deadline has passed.
type expirer interface{ deadlinePassed() }

// onPass arranges that e is told, without d's lock, whenever d passes. Nil ends
// that.
func (d *Deadline) onPass(e expirer) {
	d.mu.Lock()
	d.tell = e
	d.mu.Unlock()
}

// Set moves the deadline to t. The zero time removes it; a time in the past
// wakes blocked calls at once.
func (d *Deadline) Set(t time.Time) {
	if tell := d.set(t); tell != nil {
		tell.deadlinePassed()
	}
}

// set is Set but for telling, and returns whom to tell.
func (d *Deadline) set(t time.Time) expirer {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if d.past {
		d.past, d.done = false, nil // calls from now on wait for a new channel
	}
	if t.IsZero() {
		return nil
	}
	if wait := time.Until(t); wait > 0 {
		turn := d.turn
		d.timer = time.AfterFunc(wait, func() { d.expire(turn) })
		return nil
	}
	return d.pass()
}

func (d *Deadline) expire(turn uint64) {
	d.mu.Lock()
	var tell expirer
	if turn == d.turn {
		tell = d.pass()
	}
	d.mu.Unlock()
	if tell != nil {
		tell.deadlinePassed()
	}
}

// pass marks the deadline as over and returns whom to tell. d.mu is held.
func (d *Deadline) pass() expirer {
	d.past = true
	if d.done == nil {
		d.done = make(chan struct{})
	}
	close(d.done)
	return d.tell
}

// Done returns a channel that is closed when the deadline passes. A later Set
// may replace it, so ask again before each wait.
func (d *Deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
	}
	return d.done
}

// Passed reports whether the deadline is over.
func (d *Deadline) Passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.past
}

// Stop releases the timer. The deadline never passes after it, unless set again.
func (d *Deadline) Stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.turn++
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}
