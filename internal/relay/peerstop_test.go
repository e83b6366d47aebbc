package relay

import (
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// The client behind a tunnel leaves, and the target never says a word.
func TestSilentTargetIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := tunnelPair()
		b, s := memoryPair()
		begin := time.Now()
		done := start(near, b)
		go func() {
			send(t, far, []byte("last words"))
			far.Close()
		}()
		receive(t, s, []byte("last words"))
		if res := <-done; res != (Result{AToB: 10}) {
			t.Errorf("result %+v, want 10 bytes and no error", res)
		}
		if took := time.Since(begin); took != lingerTime {
			t.Errorf("the target was held %v, want %v", took, lingerTime)
		}
		if _, err := s.Write([]byte("x")); err == nil {
			t.Error("the target's conn is still open")
		}
	})
}

// A tunnel whose peer had left before the relay began says so during watch.
func TestPeerThatLeftBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := tunnelPair()
		b, s := memoryPair()
		far.Close()
		done := start(near, b)
		receive(t, s, nil)
		if res := <-done; res.Err != nil {
			t.Errorf("result %+v, want no error", res)
		}
	})
}

// What the client sent before it left is delivered, however slowly the target
// reads, as long as it reads.
func TestLastBytesAreDeliveredToASlowTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := tunnelPair()
		b, s := memoryPair()
		done := start(near, b)
		go func() {
			send(t, far, payload(100))
			far.Close()
		}()
		time.Sleep(time.Second)
		for i, want := range payload(100) {
			if got := make([]byte, 1); i < 99 {
				time.Sleep(time.Second)
				receiveSome(t, s, []byte{want})
			} else {
				receive(t, s, append(got[:0], want))
			}
		}
		if res := <-done; res.AToB != 100 {
			t.Errorf("result %+v, want 100 bytes", res)
		}
	})
}

// A target that does not read is given up on when the client has left: nobody
// else is there to do it.
func TestDeafTargetIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := tunnelPair()
		b, _ := memoryPair()
		begin := time.Now()
		done := start(near, b)
		go func() {
			send(t, far, []byte("hello?"))
			far.Close()
		}()
		res := <-done
		if took := time.Since(begin); took != stallTime+lingerTime {
			t.Errorf("held %v, want %v", took, stallTime+lingerTime)
		}
		if res.Err == nil {
			t.Error("no error for bytes that were not delivered")
		}
	})
}

// A client that only stopped reading may go on sending for hours.
func TestUploadOutlivesAStoppedReader(t *testing.T) {
	for _, name := range []string{"written", "fetched"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := tunnelPair()
				b, s := memoryPair()
				var done <-chan Result
				if name == "fetched" {
					done = start(near, &readerFrom{memory: b})
				} else {
					done = start(near, b)
				}
				far.closeRead()
				go func() {
					for range 5 {
						time.Sleep(time.Hour)
						send(t, far, []byte("x"))
					}
					far.Close()
				}()
				receive(t, s, []byte("xxxxx"))
				s.Close()
				if res := <-done; res != (Result{AToB: 5}) {
					t.Errorf("result %+v, want 5 bytes and no error", res)
				}
			})
		})
	}
}

// With nobody left to hear it a target that keeps talking is cut off too.
func TestTalkingTargetIsLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := tunnelPair()
		b, s := memoryPair()
		done := start(near, b)
		far.Close()
		begin := time.Now()
		var talking sync.WaitGroup
		talking.Go(func() {
			for {
				if _, err := s.Write([]byte("tick")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		if _, err := io.Copy(io.Discard, s); err != nil {
			t.Error(err)
		}
		<-done
		if took := time.Since(begin); took > lingerTime {
			t.Errorf("held %v, want at most %v", took, lingerTime)
		}
		talking.Wait()
	})
}

// One that talks as fast as it can is not listened to as fast as we can.
func TestFloodingTargetCostsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := tunnelPair()
		b, s := memoryPair()
		done := start(near, b)
		far.Close()
		synctest.Wait() // its going is known before the flood
		begin := time.Now()
		const most = ignoreFreely + 64<<10*int(lingerTime/ignorePause) + 1<<20 // of buffers
		var taken int
		for block := make([]byte, 64<<10); taken <= most; {
			n, err := s.Write(block)
			taken += n
			if err != nil {
				break
			}
		}
		if taken > most {
			t.Errorf("%d bytes were taken that nobody hears, want at most %d", taken, most)
		}
		s.Close()
		<-done
		if took := time.Since(begin); took > lingerTime+ignorePause {
			t.Errorf("held %v, want at most %v", took, lingerTime+ignorePause)
		}
	})
}
