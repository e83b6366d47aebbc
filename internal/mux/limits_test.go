package mux

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// refused waits for the peer's refusal of a stream that was opened.
func refused(t *testing.T, st *Stream) {
	t.Helper()
	st.SetDeadline(time.Now().Add(patience))
	_, err := st.Read(make([]byte, 1))
	if !Refused(err) || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read of a refused stream: %v", err)
	}
	if _, err := st.Write([]byte("x")); !Refused(err) {
		t.Errorf("write to a refused stream: %v", err)
	}
	st.Close()
}

func TestRefusals(t *testing.T) {
	for name, tune := range map[string]func(c, s *Config){
		"MaxStreams": func(_, s *Config) { s.MaxStreams = 3 },
		"Memory":     func(_, s *Config) { s.Memory = 3 * minWindow },
	} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			a, b := tcpPair(t)
			p := newPair(t, a, b, tune)
			var ends []*Stream
			for range 3 {
				s1, s2 := p.open(t)
				ends = append(ends, s1, s2)
			}
			for range 10 {
				st, err := p.client.Open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				refused(t, st)
			}
			// A stream that its consumer lets go makes room for another.
			ends[0].Close()
			ends[1].Close()
			s1, s2 := p.open(t)
			for _, st := range append(ends[2:], s1, s2) {
				st.Close()
			}
			balanced(t, p.client, p.server)
			if len(p.accepted) != 0 {
				t.Error("a refused stream was handed out")
			}
		})
	}
	t.Run("nobody accepts", func(t *testing.T) {
		leak.Check(t)
		a, b := tcpPair(t)
		p := newPair(t, a, b, nil) // the client accepts nothing
		st, err := p.server.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		refused(t, st)
	})
	t.Run("own memory", func(t *testing.T) {
		leak.Check(t)
		a, b := tcpPair(t)
		p := newPair(t, a, b, func(c, _ *Config) { c.Memory = minWindow })
		s1, s2 := p.open(t)
		if _, err := p.client.Open(t.Context()); !errors.Is(err, ErrMemory) {
			t.Errorf("open beyond our own memory: %v", err)
		}
		s1.Close()
		s2.Close()
		balanced(t, p.client, p.server)
	})
}

func TestResetReasons(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	p := newPair(t, a, b, nil)
	for _, reason := range []Reason{ReasonReset, ReasonCanceled, ReasonRefused, ReasonProtocol, ReasonStalled, 99} {
		for _, up := range []bool{true, false} {
			s1, s2 := p.open(t)
			if !up {
				s1, s2 = s2, s1
			}
			s2.SetDeadline(time.Now().Add(patience))
			s1.Write([]byte("before"))
			s1.Reset(reason)
			got, err := io.ReadAll(s2)
			re, ok := errors.AsType[*ResetError](err)
			if string(got) != "before" || !ok || re.Reason != reason || !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("reason %d: read %q, %v", reason, got, err)
			}
			if Refused(err) != (reason == ReasonRefused) {
				t.Errorf("reason %d: Refused is %v", reason, Refused(err))
			}
			if err.Error() == "" || s1.Reset(reason) == nil {
				t.Errorf("reason %d: no text, or a second reset went through", reason)
			}
			s2.Close()
		}
	}
	balanced(t, p.client, p.server)
}

// TestOpenAndResetFlood: a peer that opens and resets in a hurry is held to the
// streams that are being served, for each costs until the local side is done.
func TestOpenAndResetFlood(t *testing.T) {
	leak.Check(t)
	var served []*Stream
	p := newPeer(t, Config{MaxStreams: 10, Accept: func(st *Stream) { served = append(served, st) }})
	for i := range uint32(2000) {
		id := 1 + 2*i
		if p.send(header{typ: typeWindow, flags: flagSYN, id: id}) != nil ||
			p.send(header{typ: typeWindow, flags: flagRST, id: id}) != nil {
			t.Fatalf("the session ended: %v", p.wait())
		}
	}
	seen, ok := p.until(1)
	if !ok || len(seen) != 2000 {
		t.Fatalf("%d answers, %v", len(seen), p.s.Err())
	}
	if len(served) != 10 || p.s.Streams() != 10 {
		t.Errorf("%d streams handed out, %d in the books, want 10", len(served), p.s.Streams())
	}
	for _, st := range served {
		st.Close()
	}
	balanced(t, p.s)
}

// TestFloods: a peer that demands answers and does not read them is cut off
// before they cost much.
func TestFloods(t *testing.T) {
	for name, next := range map[string]func(i uint32) header{
		"pings": func(i uint32) header { return header{typ: typePing, flags: flagSYN, length: i} },
		"opens": func(i uint32) header { return header{typ: typeWindow, flags: flagSYN, id: 1 + 2*i} },
	} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			a, far := tcpPair(t)
			full := newGate(a)
			full.shut()
			s := New(full, Config{KeepAlive: -1, MaxStreams: 4, Accept: func(st *Stream) { st.Close() }})
			ended := make(chan error, 1)
			go func() { ended <- s.Run(t.Context()) }()
			const most = 4 * maxControl / headerSize
			sent := uint32(0)
			for ; sent < most; sent++ {
				if _, err := far.Write(next(sent).append(nil)); err != nil {
					break
				}
			}
			select {
			case err := <-ended:
				if !errors.Is(err, ErrProtocol) {
					t.Errorf("ended with %v", err)
				}
			case <-time.After(patience):
				t.Errorf("%d unanswered frames and no end", sent)
				s.Close()
			}
			far.Close()
		})
	}
}

// TestWindowIsExact: the last byte of the window is welcome, one more is not.
func TestWindowIsExact(t *testing.T) {
	for _, over := range []int{0, 1} {
		leak.Check(t)
		accepted := make(chan *Stream, 1)
		p := newPeer(t, Config{Accept: func(st *Stream) { accepted <- st }})
		p.send(header{typ: typeWindow, flags: flagSYN, id: 1})
		body := make([]byte, baseWindow+over)
		p.send(header{typ: typeData, id: 1, length: baseWindow / 2}, body[:baseWindow/2]...)
		p.send(header{typ: typeData, id: 1, length: uint32(baseWindow/2 + over)}, body[baseWindow/2:]...)
		if over == 0 {
			if _, ok := p.until(1); !ok {
				t.Errorf("a full window ended the session: %v", p.wait())
			}
		} else if err := p.wait(); !errors.Is(err, ErrProtocol) {
			t.Errorf("a byte beyond the window: %v", err)
		}
		(<-accepted).Close()
		p.s.Close()
	}
}

// TestCreditIsBounded: grants that would overflow end the session.
func TestCreditIsBounded(t *testing.T) {
	for _, grants := range [][]uint32{{1<<30 - minWindow}, {1<<30 - minWindow, 1}, {1<<32 - 1}, {1 << 31}} {
		p := newPeer(t, Config{Client: true})
		st, err := p.s.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range grants {
			p.send(header{typ: typeWindow, id: st.ID(), length: n})
		}
		if n := grants[len(grants)-1]; n == 1<<30-minWindow {
			if _, ok := p.until(1); !ok {
				t.Errorf("grants of %v ended the session: %v", grants, p.wait())
			}
		} else if err := p.wait(); !errors.Is(err, ErrProtocol) {
			t.Errorf("grants of %v: %v", grants, err)
		}
		st.Close()
	}
}

// TestPlainKnowsNoStop: the flag is ours alone.
func TestPlainKnowsNoStop(t *testing.T) {
	for _, plain := range []bool{true, false} {
		p := newPeer(t, Config{Client: true, Plain: plain})
		st, err := p.s.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.send(header{typ: typeWindow, flags: flagStop, id: st.ID()})
		p.until(1)
		if _, err := st.Write([]byte("x")); (err == nil) != plain {
			t.Errorf("plain %v: write: %v", plain, err)
		}
		st.Close()
	}
}
