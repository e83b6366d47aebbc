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
	turn  uint64 // tells the timer of an earlier Set from the current one
}

// Set moves the deadline to t. The zero time removes it; a time in the past
// wakes blocked calls at once.
func (d *Deadline) Set(t time.Time) {
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
		return
	}
	if wait := time.Until(t); wait > 0 {
		turn := d.turn
		d.timer = time.AfterFunc(wait, func() { d.expire(turn) })
		return
	}
	d.pass()
}

func (d *Deadline) expire(turn uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if turn == d.turn {
		d.pass()
	}
}

// pass marks the deadline as over. d.mu is held.
func (d *Deadline) pass() {
	d.past = true
	if d.done == nil {
		d.done = make(chan struct{})
	}
	close(d.done)
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
