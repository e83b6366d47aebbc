package crew

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// pause is a task that takes its time.
type pause struct {
	d    time.Duration
	done *sync.WaitGroup
}

func (p pause) Run() {
	time.Sleep(p.d)
	p.done.Done()
}

func idle(c *Crew) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.idle)
}

// do runs n tasks at a time and waits until they have ended.
func do(c *Crew, n int) {
	var done sync.WaitGroup
	done.Add(n)
	for range n {
		c.Do(pause{time.Millisecond, &done})
	}
	done.Wait()
	synctest.Wait()
}

// TestIdle: a few stay, as long as they are needed and a little longer.
func TestIdle(t *testing.T) {
	leak.Check(t)
	synctest.Test(t, func(t *testing.T) {
		c := new(Crew)
		do(c, 3*maxIdle)
		if n := idle(c); n != maxIdle {
			t.Errorf("%d wait, want %d", n, maxIdle)
		}
		for range 100 { // one at a time needs one
			do(c, 1)
			time.Sleep(stay / 10)
		}
		if n := idle(c); n != 1 {
			t.Errorf("%d wait where one is needed", n)
		}
		time.Sleep(2 * stay)
		synctest.Wait()
		if n := idle(c); n != 0 || c.turn != nil {
			t.Errorf("%d wait for nothing, with timer %v", n, c.turn)
		}
		do(c, 2)
		c.Stop()
		if n := idle(c); n != 0 {
			t.Errorf("%d wait after Stop", n)
		}
		do(c, 2) // tasks run as before, and nobody stays
		if n := idle(c); n != 0 {
			t.Errorf("%d wait after Stop and another task", n)
		}
	})
}

// TestTasksAreNotLost: every task runs once, whoever comes and goes meanwhile.
func TestTasksAreNotLost(t *testing.T) {
	leak.Check(t)
	var c Crew
	var callers, done sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 1000 {
				done.Add(1)
				c.Do(pause{0, &done})
			}
		})
	}
	callers.Wait()
	done.Wait()
	c.Stop()
}
