// Package crew runs short tasks whose stacks grow, such as dials, on goroutines
// that stay a moment for the next one. A new goroutine would copy its stack
// several times on its way down.
package crew

import (
	"sync"
	"time"
)

const (
	// maxIdle is how many goroutines of a [Crew] wait for their next task.
	maxIdle = 8
	// stay is how long one waits at the least. It has gone after twice that.
	stay = time.Second
)

// Task is something to do that may take its time.
type Task interface{ Run() }

// Crew runs tasks, each on a goroutine of its own. Whoever owns the tasks joins
// them, and then stops the Crew. The zero value is ready. Nothing of it is left
// when there have been no tasks for a moment.
type Crew struct {
	mu      sync.Mutex
	idle    []*hand // the last to come is the first to go: its memory is warm
	spare   int     // of idle, those that nobody has needed in this turn
	turn    *time.Timer
	stopped bool
	waiting sync.WaitGroup
}

// hand is a goroutine that waits for its next task.
type hand struct{ next chan Task }

// Do runs t. It does not wait for it.
func (c *Crew) Do(t Task) {
	c.mu.Lock()
	last := len(c.idle) - 1
	if last < 0 {
		c.mu.Unlock()
		go c.work(t)
		return
	}
	h := c.idle[last]
	c.idle = c.idle[:last]
	c.spare = min(c.spare, last)
	c.mu.Unlock()
	h.next <- t
}

// work runs t, and then what comes.
func (c *Crew) work(t Task) {
	h := &hand{next: make(chan Task, 1)}
	for ok := true; ok; {
		t.Run()
		if !c.rest(h) {
			return
		}
		t, ok = <-h.next
		c.waiting.Done()
	}
}

// rest puts the calling goroutine with those that wait, if there is need.
func (c *Crew) rest(h *hand) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped || len(c.idle) >= maxIdle {
		return false
	}
	c.waiting.Add(1)
	c.idle = append(c.idle, h)
	if c.turn == nil {
		c.spare = 0
		c.turn = time.AfterFunc(stay, c.next)
	}
	return true
}

// next begins a turn: those go who were not needed in the last one.
func (c *Crew) next() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return
	}
	c.dismiss(c.spare)
	c.spare = len(c.idle)
	if len(c.idle) == 0 {
		c.turn = nil
		return
	}
	c.turn.Reset(stay)
}

// dismiss lets n of those go that wait, the longest waiting first. c.mu is held.
func (c *Crew) dismiss(n int) {
	for _, h := range c.idle[:n] {
		close(h.next)
	}
	left := copy(c.idle, c.idle[n:])
	clear(c.idle[left:])
	c.idle = c.idle[:left]
}

// Stop ends the goroutines that have nothing to do, now and in future, and joins
// those. Tasks run as before.
func (c *Crew) Stop() {
	c.mu.Lock()
	c.stopped = true
	if c.turn != nil {
		c.turn.Stop()
	}
	c.dismiss(len(c.idle))
	c.mu.Unlock()
	c.waiting.Wait()
}
