package mux

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// bubble is a session in a synctest bubble whose far end is the test's.
func bubble(cfg Config) (s *Session, far net.Conn, ended chan error) {
	a, b := net.Pipe()
	s = New(a, cfg)
	ended = make(chan error, 1)
	go func() { ended <- s.Run(context.Background()) }()
	return s, b, ended
}

func TestFrozenPeer(t *testing.T) {
	for name, freeze := range map[string]func(far net.Conn){
		"reads nothing":           func(net.Conn) {},
		"reads, answers nothing":  func(far net.Conn) { io.Copy(io.Discard, far) },
		"stops inside a header":   func(far net.Conn) { go io.Copy(io.Discard, far); far.Write(make([]byte, 5)) },
		"works for a while first": func(far net.Conn) { answer(far, 4) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, far, ended := bubble(Config{Client: true})
				defer far.Close()
				st, err := s.Open(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				frozen := make(chan time.Time, 1)
				go func() {
					freeze(far)
					frozen <- time.Now()
					io.Copy(io.Discard, far)
				}()
				start := time.Now()
				err = <-ended
				if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() {
					t.Errorf("the session ended with %v, want a timeout", err)
				}
				select {
				case at := <-frozen:
					start = at
				default:
				}
				if took := time.Since(start); took > 12*time.Second {
					t.Errorf("noticed after %v", took)
				}
				if _, err := st.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("read: %v", err)
				}
				if ne, ok := errors.AsType[net.Error](err); ok && errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("a dead tunnel looks like the caller's own deadline: %v", ne)
				}
				st.Close()
				balanced(t, s)
			})
		})
	}
}

// answer answers n pings and then nothing.
func answer(far net.Conn, n int) {
	b := make([]byte, headerSize)
	for n > 0 {
		if _, err := io.ReadFull(far, b); err != nil {
			return
		}
		if h, _ := parseHeader(b); h.typ == typePing {
			far.Write(header{typ: typePing, flags: flagACK, length: h.length}.append(nil))
			n--
		}
	}
}

// TestSlowFrameIsAlive: bytes of one large frame that trickle in are a sign of
// life, though no frame ends in between.
func TestSlowFrameIsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accepted := make(chan *Stream, 1)
		s, far, ended := bubble(Config{Plain: true, Accept: func(st *Stream) { accepted <- st }})
		go io.Copy(io.Discard, far)
		far.Write(header{typ: typeData, flags: flagSYN, id: 1, length: 60 << 10}.append(nil))
		for range 60 {
			time.Sleep(time.Second)
			if _, err := far.Write(make([]byte, 1<<10)); err != nil {
				t.Fatalf("the session gave up on a slow link: %v", s.Err())
			}
		}
		st := <-accepted
		if n, err := io.ReadFull(st, make([]byte, 60<<10)); err != nil {
			t.Errorf("read %d, %v", n, err)
		}
		s.Close()
		if err := <-ended; err != nil {
			t.Errorf("Run after Close: %v", err)
		}
		far.Close()
	})
}

func TestIdleSessionLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		p := newPair(t, a, b, nil)
		s1, s2 := p.open(t)
		time.Sleep(24 * time.Hour)
		s1.Write([]byte("x"))
		if n, err := s2.Read(make([]byte, 8)); n != 1 || err != nil {
			t.Errorf("after a day: %d, %v", n, err)
		}
		s1.Close()
		s2.Close()
		p.client.Close()
		p.server.Close()
		synctest.Wait()
	})
}

func TestDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := net.Pipe()
		p := newPair(t, a, b, nil)
		s1, s2 := p.open(t)
		timeout := func(what string, want time.Duration, f func() error) {
			t.Helper()
			start := time.Now()
			err := f()
			if ne, ok := errors.AsType[net.Error](err); !ok || !ne.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v, want a timeout", what, err)
			}
			if took := time.Since(start); took != want {
				t.Errorf("%s took %v, want %v", what, took, want)
			}
		}
		read := func() error { _, err := s1.Read(make([]byte, 1)); return err }
		write := func() error { _, err := s1.Write(make([]byte, 1<<20)); return err }
		s1.SetReadDeadline(time.Now().Add(3 * time.Second))
		timeout("read", 3*time.Second, read)
		timeout("read again", 0, read)
		timeout("copy", 0, func() error { _, err := s1.WriteTo(io.Discard); return err })
		s1.SetWriteDeadline(time.Now().Add(2 * time.Second))
		timeout("write", 2*time.Second, write)
		s1.SetDeadline(time.Now().Add(time.Hour))
		go func() { time.Sleep(time.Second); s1.SetDeadline(time.Now().Add(time.Second)) }()
		timeout("a deadline that moves", 2*time.Second, read)

		// A deadline that was lifted leaves a working stream.
		s1.SetDeadline(time.Time{})
		got := make([]byte, baseWindow)
		io.ReadFull(s2, got)
		s2.Write([]byte("x"))
		if err := read(); err != nil {
			t.Errorf("after the deadline was lifted: %v", err)
		}
		s1.Close()
		s2.Close()
		p.client.Close()
		p.server.Close()
		synctest.Wait()
		balanced(t, p.client, p.server)
	})
}

func TestCloseWakes(t *testing.T) {
	for name, end := range map[string]func(p *pair, st *Stream){
		"Close":         func(_ *pair, st *Stream) { st.Close() },
		"Reset":         func(_ *pair, st *Stream) { st.Reset(ReasonReset) },
		"session Close": func(p *pair, _ *Stream) { p.client.Close() },
		"peer Reset":    func(p *pair, _ *Stream) { (<-p.accepted).Reset(ReasonStalled) },
		"peer session":  func(p *pair, _ *Stream) { p.server.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := net.Pipe()
				p := newPair(t, a, b, nil)
				st, err := p.client.Open(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				wg.Go(func() {
					if n, err := st.Read(make([]byte, 1)); n != 0 || err == nil || err == io.EOF {
						t.Errorf("read: %d, %v", n, err)
					}
				})
				wg.Go(func() {
					if n, err := st.Write(make([]byte, 1<<20)); n != baseWindow || err == nil {
						t.Errorf("write: %d, %v, want the window and an error", n, err)
					}
				})
				synctest.Wait()
				end(p, st)
				wg.Wait()
				st.Close()
				if err := st.Close(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("a second Close: %v", err)
				}
				if _, err := st.Write(nil); !errors.Is(err, net.ErrClosed) {
					t.Errorf("write after Close: %v", err)
				}
				p.client.Close()
				p.server.Close()
				synctest.Wait()
			})
		})
	}
}
