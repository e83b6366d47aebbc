package mux

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// TestPeerStop: who waits for the peer to lose interest is told once, and only then.
func TestPeerStop(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	p := newPair(t, a, b, nil)
	for name, c := range map[string]struct {
		act  func(st *Stream)
		stop bool
		werr error
	}{
		"Close":      {func(st *Stream) { st.Close() }, true, syscall.EPIPE},
		"Reset":      {func(st *Stream) { st.Reset(ReasonReset) }, true, syscall.ECONNRESET},
		"CloseWrite": {func(st *Stream) { st.CloseWrite() }, false, nil},
	} {
		s1, s2 := p.open(t)
		s2.SetDeadline(time.Now().Add(patience))
		fired := make(chan struct{}, 2)
		cancel := s2.OnPeerStop(func() { fired <- struct{}{} })
		c.act(s1)
		_, err := io.ReadAll(s2) // the peer's FIN or RST has been handled
		if (err != nil) != (name == "Reset") {
			t.Errorf("%s: read: %v", name, err)
		}
		if c.stop {
			select {
			case <-fired:
			case <-time.After(patience):
				t.Fatalf("%s: not told", name)
			}
			if cancel() {
				t.Errorf("%s: cancel says it was in time", name)
			}
			again := false
			if s2.OnPeerStop(func() { again = true })(); !again {
				t.Errorf("%s: not told when asked afterwards", name)
			}
		} else if !cancel() || cancel() {
			t.Errorf("%s: cancel must take f back once", name)
		}
		if _, err := s2.Write([]byte("x")); c.werr != nil && !errors.Is(err, c.werr) || (c.werr == nil) != (err == nil) {
			t.Errorf("%s: write: %v, want %v", name, err, c.werr)
		}
		s1.Close()
		s2.Close()
		if len(fired) != 0 {
			t.Errorf("%s: told without reason or twice", name)
		}
	}
	// A blocked Write ends when the peer reads no more.
	s1, s2 := p.open(t)
	failed := make(chan error, 1)
	go func() { _, err := s1.Write(make([]byte, 1<<20)); failed <- err }()
	eventually(t, "the window is full", func() bool { return int64(s2.recv.Len()) == s2.size() })
	s2.Close()
	select {
	case err := <-failed:
		if !errors.Is(err, syscall.EPIPE) {
			t.Errorf("blocked write: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("a blocked write outlives its reader")
	}
	s1.Close()
	balanced(t, p.client, p.server)
}

// TestStopRead: only one direction ends, and its memory is not held meanwhile.
func TestStopRead(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	p := newPair(t, a, b, nil)
	s1, s2 := p.open(t)
	failed := make(chan error, 1)
	go func() { _, err := s2.Write(make([]byte, 1<<20)); failed <- err }()
	eventually(t, "the window is full", func() bool { return int64(s1.recv.Len()) == s1.size() })
	s1.StopRead(nil)
	select {
	case err := <-failed:
		if !errors.Is(err, syscall.EPIPE) {
			t.Errorf("write to a stream that reads no more: %v", err)
		}
	case <-time.After(patience):
		t.Fatal("a blocked write outlives its reader")
	}
	if n := s1.recv.Len(); n != 0 {
		t.Errorf("%d bytes are held for nobody", n)
	}
	s1.Write([]byte("goes on"))
	s1.CloseWrite()
	if got, err := io.ReadAll(s2); err != nil || string(got) != "goes on" {
		t.Errorf("the other direction: %q, %v", got, err)
	}
	s2.Close()
	s1.Close()
	s1.StopRead(nil)
	balanced(t, p.client, p.server)
}
