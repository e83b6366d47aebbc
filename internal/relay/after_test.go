package relay

import (
	"testing"
	"testing/synctest"
	"time"
)

// What has to be done before the first byte goes to a keeps that byte waiting, and
// nothing else.
func TestPipeAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := memoryPair()
		b, s := memoryPair()
		calls, begin := 0, time.Now()
		done := make(chan Result, 1)
		go func() {
			done <- PipeAfter(a, b, func() {
				calls++
				time.Sleep(time.Second)
			})
		}()
		go send(t, s, []byte("banner"))
		send(t, c, []byte("question"))
		receiveSome(t, s, []byte("question"))
		if took := time.Since(begin); took != 0 {
			t.Errorf("the question took %v", took)
		}
		receiveSome(t, c, []byte("banner"))
		if took := time.Since(begin); took != time.Second {
			t.Errorf("the banner took %v, want a second", took)
		}
		go send(t, s, []byte("answer"))
		receiveSome(t, c, []byte("answer"))
		c.CloseWrite()
		s.CloseWrite()
		receive(t, c, nil)
		receive(t, s, nil)
		if res := <-done; res != (Result{AToB: 8, BToA: 12}) || calls != 1 {
			t.Errorf("result %+v after %d calls", res, calls)
		}
		if took := time.Since(begin); took != time.Second {
			t.Errorf("all of it took %v, want a second", took)
		}
	})
}
