package mux

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// chatter sends a ping every second until the conn is closed.
func chatter(far net.Conn) {
	for i := uint32(0); ; i++ {
		if _, err := far.Write(header{typ: typePing, flags: flagSYN, length: i}.append(nil)); err != nil {
			return
		}
		time.Sleep(time.Second)
	}
}

// TestPeerThatTalksButDoesNotRead: its frames keep it alive to the keepalive,
// yet nothing of ours gets through. Such a session ends too.
func TestPeerThatTalksButDoesNotRead(t *testing.T) {
	for _, interval := range []time.Duration{time.Second, 4 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s, far, ended := bubble(Config{Client: true, KeepAlive: interval})
			st, err := s.Open(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			go chatter(far)
			start := time.Now()
			err = <-ended
			if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
				t.Errorf("the session ended with %v, want a timeout", err)
			}
			if took := time.Since(start); took < stuckAfter || took > stuckAfter+interval+time.Second {
				t.Errorf("every %v: noticed after %v, want %v to %v", interval, took, stuckAfter, stuckAfter+interval)
			}
			if _, err := st.Write([]byte("x")); err == nil {
				t.Error("a stream of it still takes bytes")
			}
			st.Close()
			balanced(t, s)
			far.Close()
			time.Sleep(time.Second) // the chatter has noticed
		})
	}
}

// TestSlowReaderIsNotStuck: a peer that takes a little now and then is slow, and
// slow is allowed.
func TestSlowReaderIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, far, ended := bubble(Config{Client: true, KeepAlive: time.Second})
		go chatter(far)
		go func() {
			for b := make([]byte, 2*batchSize); ; {
				time.Sleep(2 * stuckAfter / 3) // then all that one write brought
				if _, err := far.Read(b); err != nil {
					return
				}
			}
		}()
		select {
		case err := <-ended:
			t.Errorf("a slow peer was given up: %v", err)
			ended <- nil
		case <-time.After(10 * stuckAfter):
		}
		s.Close()
		<-ended
		far.Close()
		time.Sleep(stuckAfter) // the slow peer has noticed
	})
}

// TestQuietIsNotStuck: between batches that are further apart than a batch may
// take, nothing is stuck.
func TestQuietIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		p := newPair(t, a, b, func(c, s *Config) { c.KeepAlive, s.KeepAlive = 3*stuckAfter, 3*stuckAfter })
		s1, s2 := p.open(t)
		time.Sleep(10 * stuckAfter)
		s1.Write([]byte("x"))
		if _, err := s2.Read(make([]byte, 1)); err != nil {
			t.Errorf("after a pause: %v", err)
		}
		s1.Close()
		s2.Close()
		p.stop()
	})
}
