package sshtunnel

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/sallyport/sallyport/dialer"
)

// turns bounds the handshakes of a [Pool] that go on at once. Servers that failed
// last time, the suspects, share half of the turns, so that they cannot take all; so
// do handshakes that nobody waits for any more, which give way to any that somebody
// does.
type turns struct {
	all, suspects chan struct{}

	mu        sync.Mutex
	waiting   int     // for a turn of either kind
	lingering []*turn // that nobody waits for, the oldest first
}

func newTurns(n int) *turns {
	return &turns{all: make(chan struct{}, n), suspects: make(chan struct{}, max(n/2, 1))}
}

// take waits for a turn.
func (t *turns) take(ctx context.Context, suspect bool) (*turn, error) {
	if suspect {
		if err := t.await(ctx, t.suspects); err != nil {
			return nil, err
		}
	}
	if err := t.await(ctx, t.all); err != nil {
		if suspect {
			<-t.suspects
		}
		return nil, err
	}
	return &turn{of: t, suspect: suspect}, nil
}

// turn is that of one handshake.
type turn struct {
	of *turns

	mu      sync.Mutex
	suspect bool // it has one of the suspects' turns, too
	over    bool

	giveUp func() // ends the handshake if nobody waits for it; guarded by of.mu
}

// linger has a handshake that nobody waits for share the suspects' turns: it may go
// on, but not while others are kept waiting for a turn. giveUp is called, without
// locks held, when somebody is later.
func (t *turn) linger(giveUp func()) bool {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.of.waiting > 0 || !t.share() {
		return false
	}
	t.giveUp = giveUp
	t.of.lingering = append(t.of.lingering, t)
	return true
}

// share takes one of the suspects' turns, unless it has one.
func (t *turn) share() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.suspect || t.over {
		return true
	}
	select {
	case t.of.suspects <- struct{}{}:
		t.suspect = true
	default:
	}
	return t.suspect
}

// wanted says that somebody waits for the handshake again.
func (t *turn) wanted() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.of.lingering = slices.DeleteFunc(t.of.lingering, func(other *turn) bool { return other == t })
}

// done gives the turn back.
func (t *turn) done() {
	t.wanted() // not by anybody, but it need not give way any more
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	<-t.of.all
	if t.suspect {
		<-t.of.suspects
	}
}

func (t *turns) await(ctx context.Context, turn chan struct{}) error {
	select {
	case turn <- struct{}{}:
		return nil
	default:
	}
	defer t.makeRoom()()
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for one of %d handshakes to end: %w", cap(turn), dialer.CauseOf(ctx, ctx.Err()))
	}
}

// makeRoom has the oldest handshake that nobody waits for give way to the caller, who
// waits until it calls the function that is returned. Each has a turn of both kinds.
func (t *turns) makeRoom() (waited func()) {
	t.mu.Lock()
	t.waiting++
	var giveUp func()
	if len(t.lingering) > 0 {
		giveUp = t.lingering[0].giveUp
		t.lingering = t.lingering[1:]
	}
	t.mu.Unlock()
	if giveUp != nil {
		giveUp()
	}
	return func() {
		t.mu.Lock()
		t.waiting--
		t.mu.Unlock()
	}
}

// taken is how many handshakes go on.
func (t *turns) taken() int { return len(t.all) }
