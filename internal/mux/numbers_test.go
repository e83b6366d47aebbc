package mux

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"
)

// A stream's number belongs to one connection for as long as the session lasts:
// a session that has used them all opens no more, rather than begin again.
func TestNumbersRunOut(t *testing.T) {
	p := newPeer(t, Config{Client: true, Accept: func(*Stream) {}})
	p.s.mu.Lock()
	p.s.nextID = math.MaxUint32 - 4
	p.s.mu.Unlock()
	seen := make(map[uint32]bool)
	for {
		st, err := p.s.Open(context.Background())
		if errors.Is(err, ErrExhausted) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if id := st.ID(); seen[id] || id%2 != 1 {
			t.Fatalf("stream %d after %v", id, seen)
		}
		seen[st.ID()] = true
		st.Close()
		if len(seen) > 4 {
			t.Fatalf("opened %v; the numbers do not end", seen)
		}
	}
	if len(seen) == 0 {
		t.Error("opened none")
	}
}

// A peer that uses a number again, or one below, ends the session: what it says
// to the new stream could reach the consumer of the old one.
func TestNumbersAreUsedOnce(t *testing.T) {
	for name, again := range map[string]uint32{"the same": 5, "a lower one": 3} {
		t.Run(name, func(t *testing.T) {
			accepted := make(chan *Stream, 2)
			p := newPeer(t, Config{Accept: func(st *Stream) { accepted <- st }})
			if err := p.send(header{typ: typeWindow, flags: flagSYN, id: 5}); err != nil {
				t.Fatal(err)
			}
			(<-accepted).Close()
			if err := p.send(header{typ: typeWindow, flags: flagSYN, id: again}); err != nil {
				t.Fatal(err)
			}
			select {
			case <-p.ended:
			case <-time.After(5 * time.Second):
				t.Fatal("the session goes on")
			}
			if !errors.Is(p.err, ErrProtocol) || len(accepted) != 0 {
				t.Errorf("the session ended with %v, %d streams accepted", p.err, len(accepted))
			}
		})
	}
}
