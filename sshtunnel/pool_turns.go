package sshtunnel

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// turns bounds the handshakes of a [Pool] that go on at once. Servers that failed
// last time, the suspects, share half of the turns, so that they cannot take all; so
// do handshakes that nobody waits for any more. Those go on only as long as no dial
// wants their turn.
type turns struct {
	limit, half int

	mu        sync.Mutex
	taken     int
	suspects  int       // of those taken
	ending    int       // of those, the turns that have been made to give way
	waiting   []*inLine // who came first is first
	lingering []*turn   // who was left first is first
}

// inLine is a handshake that waits for its turn.
type inLine struct {
	turn *turn
	come chan struct{} // closed when it has it
}

func newTurns(n int) *turns { return &turns{limit: n, half: max(n/2, 1)} }

// take waits for a turn for a server that may have failed last time. A handshake that
// nobody waits for gives way where none is free.
func (t *turns) take(ctx context.Context, failed *atomic.Bool) (*turn, error) {
	w := &inLine{turn: &turn{of: t, failed: failed, suspect: failed.Load()}, come: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, w)
	t.grant()
	t.makeRoom()
	t.mu.Unlock()
	select {
	case <-w.come:
		return w.turn, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for one of %d handshakes to end: %w", t.leave(w), dialer.CauseOf(ctx, ctx.Err()))
	}
}

// leave takes w out of the line, or gives back the turn that has just come. It returns
// how many turns w could have had one of.
func (t *turns) leave(w *inLine) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, w); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	} else {
		t.free(w.turn)
	}
	if w.turn.suspect && t.suspects >= t.half {
		return t.half
	}
	return t.limit
}

// grant gives the turns that are free to those who wait for them. t.mu is held.
func (t *turns) grant() {
	t.waiting = slices.DeleteFunc(t.waiting, func(w *inLine) bool {
		if t.taken >= t.limit || w.turn.suspect && t.suspects >= t.half {
			return false
		}
		t.taken++
		if w.turn.suspect {
			t.suspects++
		}
		w.turn.begun = time.Now()
		close(w.come)
		return true
	})
}

// makeRoom has a handshake that lingers give way to each one that waits. Whichever
// kind of turn that is for, the one that lingers has it. t.mu is held.
func (t *turns) makeRoom() {
	for len(t.waiting) > t.ending && len(t.lingering) > 0 {
		oldest := t.lingering[0]
		t.lingering = slices.Delete(t.lingering, 0, 1)
		t.ending++
		oldest.giveWay()
	}
}

// free takes the turn of l back. t.mu is held.
func (t *turns) free(l *turn) {
	l.over = true
	t.taken--
	if l.suspect {
		t.suspects--
	}
	if l.ending {
		t.ending--
	}
	t.unlinger(l)
	t.grant()
}

// unlinger forgets l, which may have lingered. t.mu is held.
func (t *turns) unlinger(l *turn) {
	if i := slices.Index(t.lingering, l); i >= 0 {
		t.lingering = slices.Delete(t.lingering, i, i+1)
	}
}

// handshakes is how many go on.
func (t *turns) handshakes() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.taken
}
