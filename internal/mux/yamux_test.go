package mux

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/sallyport/sallyport/internal/leak"
)

// mixed is our session at one end of a conn and the public implementation at
// the other.
type mixed struct {
	t        *testing.T
	ours     *Session
	theirs   *yamux.Session
	accepted chan *Stream
}

func newMixed(t *testing.T, client bool, tune func(*Config)) *mixed {
	t.Helper()
	leak.Check(t)
	a, b := tcpPair(t)
	m := &mixed{t: t, accepted: make(chan *Stream, 1000)}
	cfg := Config{Client: client, Plain: true, Accept: func(st *Stream) { m.accepted <- st }}
	if tune != nil {
		tune(&cfg)
	}
	m.ours = New(a, cfg)
	yc := yamux.DefaultConfig()
	yc.LogOutput, yc.EnableKeepAlive = io.Discard, false
	var err error
	if client {
		m.theirs, err = yamux.Server(b, yc)
	} else {
		m.theirs, err = yamux.Client(b, yc)
	}
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { m.ours.Run(context.Background()) })
	t.Cleanup(func() {
		m.ours.Close()
		m.theirs.Close()
		wg.Wait()
	})
	return m
}

// open opens a stream from our side or from theirs.
func (m *mixed) open(fromOurs bool) (*Stream, *yamux.Stream) {
	m.t.Helper()
	if fromOurs {
		st, err := m.ours.Open(context.Background())
		if err != nil {
			m.t.Fatal(err)
		}
		ys, err := m.theirs.AcceptStream()
		if err != nil {
			m.t.Fatal(err)
		}
		return st, ys
	}
	ys, err := m.theirs.OpenStream()
	if err != nil {
		m.t.Fatal(err)
	}
	return <-m.accepted, ys
}

// eachWay runs f for both roles and both sides that may open.
func eachWay(t *testing.T, f func(t *testing.T, m *mixed, st *Stream, ys *yamux.Stream)) {
	for _, client := range []bool{true, false} {
		for _, fromOurs := range []bool{true, false} {
			t.Run(name("client", client)+name(",opens", fromOurs), func(t *testing.T) {
				m := newMixed(t, client, nil)
				st, ys := m.open(fromOurs)
				st.SetDeadline(time.Now().Add(patience))
				ys.SetDeadline(time.Now().Add(patience))
				f(t, m, st, ys)
				if err := m.ours.Err(); err != nil {
					t.Errorf("our session ended: %v", err)
				}
				if _, err := m.theirs.Ping(); err != nil {
					t.Errorf("their session does not answer: %v", err)
				}
			})
		}
	}
}

func name(what string, yes bool) string {
	if yes {
		return what
	}
	return what + " not"
}

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	rand.NewChaCha8(key).Read(b)
	return b
}

func TestYamuxBulk(t *testing.T) {
	eachWay(t, func(t *testing.T, m *mixed, st *Stream, ys *yamux.Stream) {
		up, down := random(1, 20<<20), random(2, 20<<20)
		var wg sync.WaitGroup
		send := func(c io.Writer, p []byte, end func() error) {
			if _, err := c.Write(p); err != nil {
				t.Errorf("write: %v", err)
			}
			end()
		}
		receive := func(c io.Reader, want []byte) {
			h := sha256.New()
			n, err := io.Copy(h, c)
			if sum := sha256.Sum256(want); err != nil || !bytes.Equal(h.Sum(nil), sum[:]) {
				t.Errorf("received %d bytes of %d, or others, %v", n, len(want), err)
			}
		}
		wg.Go(func() { send(st, up, st.CloseWrite) })
		wg.Go(func() { send(ys, down, ys.Close) })
		wg.Go(func() { receive(st, down) })
		wg.Go(func() { receive(ys, up) })
		wg.Wait()
		st.Close() // behind a CloseWrite: there must be one FIN only
		eventually(t, "their stream is forgotten", func() bool { return m.theirs.NumStreams() == 0 })
		balanced(t, m.ours)
	})
}

func TestYamuxHalfClose(t *testing.T) {
	eachWay(t, func(t *testing.T, m *mixed, st *Stream, ys *yamux.Stream) {
		st.Write([]byte("question"))
		st.CloseWrite()
		if b, err := io.ReadAll(ys); err != nil || string(b) != "question" {
			t.Fatalf("they read %q, %v", b, err)
		}
		// Their half is open: closing ours now must not look like a second FIN.
		ys.Write([]byte("answer"))
		got := make([]byte, 6)
		if _, err := io.ReadFull(st, got); err != nil || string(got) != "answer" {
			t.Fatalf("read %q, %v", got, err)
		}
		st.Close()
		if _, err := m.theirs.Ping(); err != nil {
			t.Errorf("after a full close: %v", err)
		}
		ys.Write([]byte("to nobody"))
		ys.Close()
	})
}

func TestYamuxDeadlinesAndReset(t *testing.T) {
	eachWay(t, func(t *testing.T, m *mixed, st *Stream, ys *yamux.Stream) {
		st.SetDeadline(time.Now().Add(20 * time.Millisecond))
		var ne net.Error
		if _, err := st.Read(make([]byte, 1)); !errors.As(err, &ne) || !ne.Timeout() {
			t.Errorf("read: %v, want a timeout", err)
		}
		eventually(t, "the write deadline passes", st.writeDeadline.Passed)
		n, err := st.Write(make([]byte, 4*plainWindow))
		if !errors.As(err, &ne) || !ne.Timeout() || n != 0 {
			t.Errorf("write after the deadline: %d, %v, want a timeout", n, err)
		}
		st.SetDeadline(time.Now().Add(50 * time.Millisecond))
		n, err = st.Write(make([]byte, 4*plainWindow))
		if !errors.As(err, &ne) || !ne.Timeout() || n != plainWindow {
			t.Errorf("write took %d, %v, want their window and a timeout", n, err)
		}
		st.Reset(ReasonStalled)
		eventually(t, "they see the reset", func() bool {
			_, err := ys.Write([]byte("x"))
			return errors.Is(err, yamux.ErrConnectionReset)
		})
	})
}

func TestYamuxManyStreams(t *testing.T) {
	for _, client := range []bool{true, false} {
		for _, fromOurs := range []bool{true, false} {
			t.Run(name("client", client)+name(",opens", fromOurs), func(t *testing.T) {
				m := newMixed(t, client, nil)
				const many = 600 // more than yamux lets be open unacknowledged
				var echoes, callers sync.WaitGroup
				for i := range many {
					st, ys := m.open(fromOurs)
					st.SetDeadline(time.Now().Add(patience))
					echo, call := io.ReadWriteCloser(ys), io.ReadWriteCloser(st)
					if i%2 == 0 {
						echo, call = call, echo
					}
					echoes.Go(func() { io.Copy(echo, echo); echo.Close() })
					callers.Go(func() {
						want := random(uint64(i), 1+i*37)
						go func() { call.Write(want) }()
						got := make([]byte, len(want))
						if _, err := io.ReadFull(call, got); err != nil || !bytes.Equal(got, want) {
							t.Errorf("stream %d: %v", i, err)
						}
						call.Close()
					})
				}
				callers.Wait()
				echoes.Wait()
				eventually(t, "all are closed", func() bool {
					return m.ours.Streams() == 0 && m.theirs.NumStreams() == 0
				})
				balanced(t, m.ours)
			})
		}
	}
}

func TestYamuxPingGoAwayAndEnd(t *testing.T) {
	for _, client := range []bool{true, false} {
		t.Run(name("client", client), func(t *testing.T) {
			m := newMixed(t, client, func(c *Config) { c.MaxStreams = 2 })
			if _, err := m.theirs.Ping(); err != nil {
				t.Fatal(err)
			}
			eventually(t, "our ping is answered", func() bool { return m.ours.RTT() > 0 })

			st, ys := m.open(false)
			m.open(false)
			over, err := m.theirs.OpenStream()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := over.Read(make([]byte, 1)); !errors.Is(err, yamux.ErrConnectionReset) {
				t.Errorf("a stream beyond the limit: %v", err)
			}

			m.theirs.GoAway()
			eventually(t, "their go-away is heard", m.ours.GoneAway)
			if _, err := m.ours.Open(context.Background()); !errors.Is(err, ErrGoAway) {
				t.Errorf("open after their go-away: %v", err)
			}
			m.ours.GoAway()
			eventually(t, "our go-away is heard", func() bool {
				s, err := m.theirs.OpenStream()
				if err == nil {
					s.Close()
				}
				return errors.Is(err, yamux.ErrRemoteGoAway)
			})
			ys.Write([]byte("still here"))
			got := make([]byte, 10)
			if _, err := io.ReadFull(st, got); err != nil || string(got) != "still here" {
				t.Errorf("an open stream after go-away: %q, %v", got, err)
			}

			m.theirs.Close()
			if _, err := st.Read(got); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read after their session's end: %v", err)
			}
		})
	}
}
