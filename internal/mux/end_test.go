package mux

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestSessionEnd: what has arrived can be read; behind it stands a reset.
func TestSessionEnd(t *testing.T) {
	for name, end := range map[string]func(s *Session, far net.Conn, cancel func()){
		"peer hangs up":    func(_ *Session, far net.Conn, _ func()) { far.Close() },
		"Close":            func(s *Session, _ net.Conn, _ func()) { s.Close() },
		"context":          func(_ *Session, _ net.Conn, cancel func()) { cancel() },
		"peer breaks down": func(_ *Session, far net.Conn, _ func()) { far.Write(bytes.Repeat([]byte{9}, headerSize)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				accepted := make(chan *Stream, 2)
				a, far := net.Pipe()
				s := New(a, Config{Accept: func(st *Stream) { accepted <- st }})
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				ended := make(chan error, 1)
				go func() { ended <- s.Run(ctx) }()
				go io.Copy(io.Discard, far)
				h := header{typ: typeData, flags: flagSYN, id: 1, length: 5}
				far.Write(append(h.append(nil), "hello"...))
				h.flags, h.id = flagSYN|flagFIN, 3
				far.Write(append(h.append(nil), "clean"...))
				cut, clean := <-accepted, <-accepted
				synctest.Wait()
				stopped := 0
				cut.OnPeerStop(func() { stopped++ })
				end(s, far, cancel)
				err := <-ended
				if (err == nil) != (name == "Close") {
					t.Errorf("Run returned %v", err)
				}
				if stopped != 1 {
					t.Errorf("OnPeerStop fired %d times", stopped)
				}
				got, err := io.ReadAll(cut)
				if string(got) != "hello" || !errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
					t.Errorf("read %q, %v", got, err)
				}
				if _, err := cut.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("write: %v", err)
				}
				if got, err := io.ReadAll(clean); string(got) != "clean" || err != nil {
					t.Errorf("the stream that had ended: %q, %v", got, err)
				}
				if _, err := s.Open(context.Background()); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("open: %v", err)
				}
				cut.Close()
				clean.Close()
				balanced(t, s)
				far.Close()
			})
		})
	}
}

// TestOpenWaits: while the peer reads nothing, opens wait for it rather than pile
// up, and the context, or the session's end, wakes them.
func TestOpenWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, far, ended := bubble(Config{Client: true, KeepAlive: -1, Memory: 1 << 30})
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		opened := 0
		for {
			if _, err := s.Open(ctx); err != nil {
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Fatal(err)
				}
				break
			}
			opened++
		}
		if max := 2*(maxControl/4)/headerSize + 10; opened < 100 || opened > max {
			t.Errorf("%d opens went ahead, want at most %d", opened, max)
		}
		woken := make(chan error, 2)
		open := func() { _, err := s.Open(context.Background()); woken <- err }
		go open()
		synctest.Wait()
		go io.Copy(io.Discard, far)
		if err := <-woken; err != nil {
			t.Errorf("the peer reads again: %v", err)
		}
		s.Close()
		<-ended
		open()
		if err := <-woken; !errors.Is(err, net.ErrClosed) {
			t.Errorf("open on a closed session: %v", err)
		}
		far.Close()
	})
}

// TestRunJoins: when Run has returned, nothing of it goes on, whoever ended it.
func TestRunJoins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 20 {
			a, far := net.Pipe()
			slow := &slowClose{Conn: a}
			s := New(slow, Config{})
			ctx, cancel := context.WithCancel(context.Background())
			go io.Copy(io.Discard, far)
			time.AfterFunc(time.Second, cancel)
			if err := s.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("Run: %v", err)
			}
			if !slow.closed.Load() {
				t.Fatal("Run returned before the conn was closed")
			}
			far.Close()
		}
	})
}
