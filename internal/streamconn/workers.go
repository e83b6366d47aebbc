package streamconn

import "sync"

// maxParked is how many goroutines of one [Workers] wait for their next task:
// enough that exchanges of small messages start none, little enough that they
// cost nothing beside the session they belong to.
const maxParked = 8

// Task is something to do that may take its time.
type Task interface{ Run() }

// Workers runs tasks, each on a goroutine of its own. A few of them stay for
// the next task, so that it finds one with a grown stack and costs no more than
// waking it: never more than there are users.
//
// Whoever owns the tasks joins them; whoever owns the Workers stops those that
// stay. The zero value is ready.
type Workers struct {
	mu      sync.Mutex
	idle    []*worker // the last to park is the first to go: its memory is warm
	users   int       // who may have a task
	stopped bool
	parked  sync.WaitGroup
	rest    Pause // since a user last had no more to do
}

// worker is a goroutine that waits for its next task.
type worker struct{ next chan Task }

// enter says that there is one more user.
func (w *Workers) enter() {
	w.mu.Lock()
	w.users++
	w.mu.Unlock()
}

// leave says that a user has no more tasks.
func (w *Workers) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.users--
	w.trim(w.users)
}

// trim lets those go who have nothing to do, but n. w.mu is held.
func (w *Workers) trim(n int) {
	for last := len(w.idle) - 1; last >= n; last-- {
		close(w.idle[last].next)
		w.idle = w.idle[:last]
	}
}

// Do runs t. It does not wait for it.
func (w *Workers) Do(t Task) {
	w.mu.Lock()
	last := len(w.idle) - 1
	if last < 0 {
		w.mu.Unlock()
		go w.work(t)
		return
	}
	free := w.idle[last]
	w.idle = w.idle[:last]
	w.mu.Unlock()
	free.next <- t
}

// work runs t, and then what comes until nobody needs one more.
func (w *Workers) work(t Task) {
	var self *worker
	for {
		t.Run()
		if self == nil {
			self = &worker{next: make(chan Task, 1)}
		}
		if !w.park(self) {
			return
		}
		next, ok := <-self.next
		w.parked.Done()
		if !ok {
			return
		}
		t = next
	}
}

// park puts the calling goroutine with those that wait, if there is need.
func (w *Workers) park(self *worker) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped || len(w.idle) >= min(maxParked, w.users) {
		return false
	}
	w.parked.Add(1)
	w.idle = append(w.idle, self)
	return true
}

// Stop ends the goroutines that have nothing to do, now and in future. Tasks
// run as before. It does not wait.
func (w *Workers) Stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
	w.trim(0)
}

// Wait waits, after Stop, until the goroutines that had nothing to do have ended.
func (w *Workers) Wait() { w.parked.Wait() }
