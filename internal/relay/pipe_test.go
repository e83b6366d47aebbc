package relay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
)

func TestHalfClose(t *testing.T) {
	for _, first := range []string{"client", "target"} {
		t.Run(first+" first", func(t *testing.T) {
			asks, answers, done := relayed(t)
			if first == "target" {
				asks, answers = answers, asks
			}
			question, answer := payload(100), payload(200_000)
			send(t, asks, question)
			closeWrite(t, asks)
			receive(t, answers, question)
			go func() {
				send(t, answers, answer)
				closeWrite(t, answers)
			}()
			receive(t, asks, answer)

			got, want := <-done, Result{AToB: 100, BToA: 200_000}
			if first == "target" {
				want = Result{AToB: 200_000, BToA: 100}
			}
			if got != want {
				t.Errorf("result %+v, want %+v", got, want)
			}
		})
	}
}

// A half-close has no clock: the answer may take as long as it takes.
func TestHalfCloseWaitsForTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, a := memoryPair()
		b, s := memoryPair()
		done := start(a, b)
		go func() {
			send(t, c, []byte("well?"))
			c.CloseWrite()
		}()
		receive(t, s, []byte("well?"))
		time.Sleep(24 * time.Hour)
		go func() {
			send(t, s, []byte("yes"))
			s.CloseWrite()
		}()
		receive(t, c, []byte("yes"))
		if res := <-done; res != (Result{AToB: 5, BToA: 3}) {
			t.Errorf("result %+v, want 5 and 3 bytes and no error", res)
		}
	})
}

func TestWriteThenClose(t *testing.T) {
	for _, size := range []int{1, 64 << 10, 8 << 20} {
		for _, writer := range []string{"client", "target"} {
			t.Run(fmt.Sprintf("%d bytes by %s", size, writer), func(t *testing.T) {
				w, r, done := relayed(t)
				if writer == "target" {
					w, r = r, w
				}
				sent := payload(size)
				go func() {
					send(t, w, sent)
					w.Close()
				}()
				receive(t, r, sent)
				r.Close()
				if res := <-done; res.Err != nil || res.AToB+res.BToA != int64(size) {
					t.Errorf("result %+v, want %d bytes and no error", res, size)
				}
			})
		}
	}
}

func TestReset(t *testing.T) {
	for _, who := range []string{"client", "target"} {
		t.Run("by "+who, func(t *testing.T) {
			hangsUp, other, done := relayed(t)
			if who == "target" {
				hangsUp, other = other, hangsUp
			}
			send(t, hangsUp, []byte("half a sen"))
			receiveSome(t, other, []byte("half a sen"))
			hangsUp.SetLinger(0)
			hangsUp.Close()
			if _, err := other.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the other end read %v, want a reset", err)
			}
			if res := <-done; !errors.Is(res.Err, syscall.ECONNRESET) {
				t.Errorf("result %+v, want the reset", res)
			}
		})
	}
}

// A reset that meets a relay busy both ways may be reported to the write; then
// the read finds EOF, and must not take it for one. The client of this test has
// the same trouble: one of its two calls is told. After a clean EOF its write
// would fail with EPIPE.
func TestResetOfABusyConnIsNoEOF(t *testing.T) {
	for range 30 {
		client, target, done := relayed(t)
		var uploading sync.WaitGroup
		var writeErr error
		uploading.Go(func() { // until the relay hangs up
			for b := payload(64 << 10); writeErr == nil; {
				_, writeErr = client.Write(b)
			}
		})
		receiveSome(t, target, payload(64 << 10)[:1000])
		target.SetLinger(0)
		target.Close()
		_, readErr := client.Read(make([]byte, 1))
		uploading.Wait()
		if !errors.Is(readErr, syscall.ECONNRESET) && !errors.Is(writeErr, syscall.ECONNRESET) {
			t.Errorf("the client read %v and wrote %v, want a reset", readErr, writeErr)
		}
		<-done
	}
}

func TestResetIsNoEOFThroughTLS(t *testing.T) {
	leak.Check(t)
	outer, inner := tlsPair(t)
	b, s := socketPair(t, "tcp")
	done := start(inner, b)

	send(t, s, []byte("half"))
	receiveSome(t, outer, []byte("half"))
	s.(*net.TCPConn).SetLinger(0)
	s.Close()
	if _, err := outer.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the client read %v, want an error other than EOF", err)
	}
	<-done
}

func TestResetReachesATunnelWithItsReason(t *testing.T) {
	leak.Check(t)
	near, far := tunnelPair()
	b, s := socketPair(t, "tcp")
	done := start(near, b)
	s.(*net.TCPConn).SetLinger(0)
	s.Close()
	if _, err := far.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the far end read %v, want the reset", err)
	}
	<-done
}

func TestCloseFromOutsideEndsThePipe(t *testing.T) {
	leak.Check(t)
	_, a := socketPair(t, "tcp")
	b, s := socketPair(t, "tcp")
	done := start(a, b)
	a.Close()
	if res := <-done; !errors.Is(res.Err, net.ErrClosed) {
		t.Errorf("result %+v, want %v", res, net.ErrClosed)
	}
	if _, err := s.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the target read %v, want a reset", err)
	}
}

func TestOneStuckWayDoesNotHoldTheOther(t *testing.T) {
	client, target, done := relayed(t)
	var stuck sync.WaitGroup
	stuck.Go(func() { client.Write(payload(32 << 20)) }) // more than all buffers take
	receiveSome(t, target, payload(1))

	answer := payload(8 << 20)
	go func() {
		send(t, target, answer)
		closeWrite(t, target)
	}()
	receive(t, client, answer)
	target.Close() // over what it has not read: that is a reset
	stuck.Wait()
	client.Close()
	if res := <-done; res.Err == nil {
		t.Error("no error for a request that was cut")
	}
}

func TestDescriptorsComeBack(t *testing.T) {
	before := leak.Descriptors()
	if before < 0 {
		t.Skip("the system does not tell open descriptors")
	}
	for i := range 20 {
		c, a := socketPair(t, "tcp")
		b, s := socketPair(t, "tcp")
		done := start(a, b)
		if i%2 == 0 {
			c.(*net.TCPConn).SetLinger(0)
		}
		c.Close()
		s.Close()
		<-done
	}
	// A few may stand for the poller and the listener of a neighbour.
	if after := leak.Descriptors(); after > before+3 {
		t.Errorf("%d descriptors open, %d before", after, before)
	}
}

// tlsPair returns both ends of a TLS connection after its handshake.
func tlsPair(t *testing.T) (client, server *tls.Conn) {
	t.Helper()
	ca := testpki.MustCA(t, "relay")
	leaf := ca.MustPair(t, testpki.Leaf{CommonName: "relay", Names: []string{"relay.test"}})
	c, s := socketPair(t, "tcp")
	client = tls.Client(c, &tls.Config{RootCAs: ca.Pool(), ServerName: "relay.test"})
	server = tls.Server(s, &tls.Config{Certificates: []tls.Certificate{leaf}})
	var shaking sync.WaitGroup
	shaking.Go(func() {
		if err := server.HandshakeContext(t.Context()); err != nil {
			t.Errorf("server handshake: %v", err)
		}
	})
	if err := client.HandshakeContext(t.Context()); err != nil {
		t.Errorf("client handshake: %v", err)
	}
	shaking.Wait()
	return client, server
}
