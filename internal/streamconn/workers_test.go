package streamconn

import (
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

type task func()

func (t task) Run() { t() }

func parked(w *Workers) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.idle)
}

// TestWorkersRunAll: no task waits for another, and few goroutines stay, none
// without a user.
func TestWorkersRunAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w Workers
		var together sync.WaitGroup
		var ran atomic.Int32
		for range 2 * maxParked {
			w.enter()
		}
		for range 3 {
			together.Add(100)
			for range 100 {
				w.Do(task(func() { together.Done(); together.Wait(); ran.Add(1) }))
			}
			synctest.Wait()
			if n := parked(&w); n != maxParked { // of twice as many users
				t.Errorf("%d goroutines stay, want %d", n, maxParked)
			}
		}
		if ran.Load() != 300 {
			t.Errorf("%d tasks ran", ran.Load())
		}
		for users := 2*maxParked - 1; users > 2; users-- {
			w.leave()
			if n := parked(&w); n != min(users, maxParked) {
				t.Errorf("%d goroutines stay for %d users", n, users)
			}
		}
		w.Stop()
		w.Wait()
		w.Do(task(func() { ran.Add(1) }))
		synctest.Wait()
		if ran.Load() != 301 || parked(&w) != 0 {
			t.Errorf("stopped: %d tasks ran, %d goroutines stay", ran.Load(), parked(&w))
		}
		w.Stop()
	})
}

// TestWorkersStopWhileBusy: a task that is running when they are stopped ends, and
// its goroutine with it.
func TestWorkersStopWhileBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w Workers
		hold := make(chan struct{})
		w.enter()
		w.Do(task(func() { <-hold }))
		synctest.Wait()
		w.Stop()
		w.Wait() // not for the task, which is its owner's
		close(hold)
		synctest.Wait()
		if n := parked(&w); n != 0 {
			t.Errorf("%d goroutines stay", n)
		}
	})
}
