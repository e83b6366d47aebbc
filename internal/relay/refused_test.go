package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// A server may shut down its reading, which a unix socket tells the writer by
// EPIPE, and still answer at length.
func TestRefusedRequestKeepsTheAnswer(t *testing.T) {
	leak.Check(t)
	c, a := socketPair(t, "tcp")
	b, s := socketPair(t, "unix")
	done := start(a, b)

	receiveOneOf(t, c, s)
	if err := s.(*net.UnixConn).CloseRead(); err != nil {
		t.Fatal(err)
	}
	answer := payload(8 << 20)
	go func() {
		send(t, s, answer)
		closeWrite(t, s)
	}()
	send(t, c, payload(16<<20)) // all of it before the answer is looked at
	receive(t, c, answer)
	c.Close()
	if res := <-done; !errors.Is(res.Err, syscall.EPIPE) || res.BToA != 8<<20 {
		t.Errorf("result %+v, want EPIPE and the whole answer", res)
	}
}

// A server that answers, closes and then gets more of the request sends a FIN
// and then a RST.
func TestAnswerBeforeTheRequestHasEnded(t *testing.T) {
	client, target, done := relayed(t)
	receiveOneOf(t, client, target)
	answer := payload(64 << 10)
	send(t, target, answer)
	closeWrite(t, target)
	receiveSome(t, client, answer[:1]) // so it is on its way before the reset
	target.Close()
	send(t, client, payload(4<<20))
	receive(t, client, answer[1:])
	client.Close()
	<-done
}

// receiveOneOf sends a byte from c and waits for it at s.
func receiveOneOf(t *testing.T, c, s net.Conn) {
	t.Helper()
	send(t, c, []byte{1})
	receiveSome(t, s, []byte{1})
}

// A tunnel is told to stop, once, instead of being read for nothing.
func TestRefusedRequestStopsATunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := tunnelPair()
		b, s := memoryPair()
		done := start(near, b)
		s.closeRead()
		send(t, far, []byte("x"))
		if err := <-near.stopped; err != io.ErrClosedPipe {
			t.Errorf("stopped because of %v, want %v", err, io.ErrClosedPipe)
		}
		if _, err := far.Write([]byte("y")); err == nil {
			t.Error("the far end can still write")
		}
		go func() {
			send(t, s, []byte("the answer"))
			s.CloseWrite()
		}()
		receive(t, far, []byte("the answer"))
		if res := <-done; res.BToA != 10 {
			t.Errorf("result %+v, want 10 bytes of answer", res)
		}
	})
}

// One that sends in vain and has got its whole answer is not listened to for
// ever.
func TestTalkingInVainIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := memoryPair()
		b, s := memoryPair()
		begin := time.Now()
		done := start(a, b)
		s.Close()
		var talking sync.WaitGroup
		talking.Go(func() {
			for {
				if _, err := c.Write([]byte("more")); err != nil {
					return
				}
				time.Sleep(time.Second)
			}
		})
		receive(t, c, nil)
		<-done
		if took := time.Since(begin); took != lingerTime {
			t.Errorf("it took %v, want %v", took, lingerTime)
		}
		talking.Wait()
	})
}

// A conn without a half-close is closed, or its peer would wait for ever.
func TestEOFClosesAConnWithoutHalfClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := memoryPair()
		b, s := net.Pipe()
		done := start(a, b)
		go func() {
			send(t, c, []byte("bye"))
			c.CloseWrite()
		}()
		receive(t, s, []byte("bye"))
		receive(t, c, nil)
		if res := <-done; res != (Result{AToB: 3}) {
			t.Errorf("result %+v, want 3 bytes and no error", res)
		}
	})
}
