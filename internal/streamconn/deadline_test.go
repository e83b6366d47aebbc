package streamconn

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// passed reports whether ch is closed.
func passed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d Deadline
		if d.Passed() || passed(d.Done()) {
			t.Fatal("the zero value has passed")
		}
		waiting := d.Done()
		d.Set(time.Now().Add(time.Second))
		time.Sleep(time.Second - 1)
		synctest.Wait()
		if d.Passed() || passed(waiting) {
			t.Error("passed early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if !d.Passed() || !passed(waiting) {
			t.Error("did not pass, or who waited before Set was not told")
		}
		d.Set(time.Now().Add(-time.Hour)) // again, while it is over
		if !d.Passed() || !passed(d.Done()) {
			t.Error("a time in the past must count at once")
		}
		d.Set(time.Time{})
		if d.Passed() || passed(d.Done()) {
			t.Error("a lifted deadline still counts")
		}
		waiting = d.Done()
		d.Set(time.Now())
		if !d.Passed() || !passed(waiting) {
			t.Error("now is over")
		}
	})
}

// TestDeadlineMoves: the timer of an earlier Set means nothing.
func TestDeadlineMoves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d Deadline
		d.Set(time.Now().Add(time.Second))
		waiting := d.Done()
		d.Set(time.Now().Add(time.Minute))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if d.Passed() || passed(waiting) {
			t.Error("the earlier time counted")
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if !d.Passed() || !passed(waiting) {
			t.Error("the later time did not count")
		}
		d.Set(time.Now().Add(time.Second))
		d.Stop()
		time.Sleep(time.Minute)
		synctest.Wait()
		if d.Passed() {
			t.Error("passed after Stop")
		}
		d.Set(time.Now().Add(time.Second))
		time.Sleep(time.Second)
		synctest.Wait()
		if !d.Passed() {
			t.Error("a Set after Stop does not count")
		}
	})
}

// TestDeadlineExpiresLate: a timer that fires while Set runs must not end the
// deadline that Set made.
func TestDeadlineExpiresLate(t *testing.T) {
	var d Deadline
	d.Set(time.Now().Add(time.Hour))
	stale := d.turn
	d.Set(time.Now().Add(time.Hour))
	d.expire(stale)
	if d.Passed() {
		t.Error("a stale timer counted")
	}
	d.expire(d.turn)
	if !d.Passed() {
		t.Error("the current timer did not count")
	}
	d.Stop()
}

func TestDeadlineRaces(t *testing.T) {
	var d Deadline
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				switch (i + j) % 4 {
				case 0:
					d.Set(time.Now().Add(time.Microsecond))
				case 1:
					d.Set(time.Time{})
				case 2:
					d.Set(time.Unix(1, 0))
				case 3:
					passed(d.Done())
					d.Passed()
				}
			}
		})
	}
	wg.Wait()
	d.Set(time.Unix(1, 0))
	<-d.Done()
}
