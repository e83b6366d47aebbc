package mux

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// TestFlushIsAReceipt: when Flush returns, the peer has everything, however long
// the link and however much was still queued here.
func TestFlushIsAReceipt(t *testing.T) {
	for _, size := range []int{1, baseWindow, 3 << 20} {
		synctest.Test(t, func(t *testing.T) {
			// A slow link, so that the batches are still here when Flush begins and a
			// ping could overtake them.
			a, b := delayedPair(25*time.Millisecond, 1_000_000)
			p := newPair(t, a, b, nil)
			s1, s2 := p.open(t)
			data := random(11, size)
			var got []byte
			var reading sync.WaitGroup
			reading.Go(func() { got, _ = io.ReadAll(s2) })
			s1.Write(data)
			s1.Close()
			if err := p.client.Flush(t.Context()); err != nil {
				t.Errorf("Flush: %v", err)
			}
			if !s2.PeerFinished() {
				t.Errorf("%d bytes: Flush returned before the peer had the end", size)
			}
			p.client.Close()
			reading.Wait()
			if !bytes.Equal(got, data) {
				t.Errorf("%d of %d bytes arrived", len(got), size)
			}
			s2.Close()
			p.stop()
		})
	}
}

// TestFlushThenClose is the same over TCP, where closing over unread frames
// resets the conn and destroys what is on its way.
func TestFlushThenClose(t *testing.T) {
	leak.Check(t)
	for range 20 {
		a, b := tcpPair(t)
		p := newPair(t, a, b, nil)
		s1, s2 := p.open(t)
		back := make(chan error, 1)
		go func() { // the other direction keeps frames arriving
			_, err := s2.Write(make([]byte, 1<<20))
			back <- err
		}()
		data := random(12, baseWindow/2)
		s1.Write(data)
		s1.Close()
		if err := p.client.Flush(t.Context()); err != nil {
			t.Fatalf("Flush: %v", err)
		}
		p.client.Close()
		if got, err := io.ReadAll(s2); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("read %d bytes of %d, %v", len(got), len(data), err)
		}
		<-back
		s2.Close()
	}
}

// TestFlushEnds: it does not outlast its context or the session, and several at
// once each get their receipt.
func TestFlushEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, far, ended := bubble(Config{Client: true, KeepAlive: -1})
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		if err := s.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("to a peer that reads nothing: %v after %v", err, time.Since(start))
		}
		go io.Copy(io.Discard, far) // reads now, but answers nothing
		ctx, cancel = context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := s.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("to a peer that answers nothing: %v", err)
		}
		time.AfterFunc(time.Second, func() { far.Close() })
		if err := s.Flush(t.Context()); err == nil {
			t.Error("a receipt from a peer that has hung up")
		}
		<-ended
		if err := s.Flush(t.Context()); err == nil {
			t.Error("a receipt after the end")
		}
		if n := len(s.ping.receipts); n != 0 {
			t.Errorf("%d receipts are still waited for", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s, far, ended := bubble(Config{Client: true, KeepAlive: -1})
		defer far.Close()
		synctest.Wait() // the first ping is on its way, and stays there
		time.AfterFunc(time.Second, func() { s.Close() })
		if err := s.Flush(t.Context()); err == nil {
			t.Error("a receipt from a peer that read nothing until we closed")
		}
		<-ended
	})
	synctest.Test(t, func(t *testing.T) {
		a, b := delayedPair(25*time.Millisecond, 10_000_000)
		p := newPair(t, a, b, nil)
		var flushing sync.WaitGroup
		for range 8 {
			flushing.Go(func() {
				start := time.Now()
				if err := p.client.Flush(t.Context()); err != nil || time.Since(start) > time.Second {
					t.Errorf("one of several: %v after %v", err, time.Since(start))
				}
			})
		}
		flushing.Wait()
		p.stop()
	})
}
