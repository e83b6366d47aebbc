package sshtunnel

import (
	"context"
	"fmt"
	"sync"

	"github.com/sallyport/sallyport/dialer"
)

// turns bounds the handshakes of a [Pool] that go on at once. Servers that failed
// last time, the suspects, share half of the turns, so that they cannot take all; so
// do handshakes that nobody waits for any more.
type turns struct {
	all, suspects chan struct{}
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
}

// linger has a handshake that nobody waits for share the suspects' turns: it may go
// on, but many of them must not keep others waiting either.
func (t *turn) linger() bool {
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

// done gives the turn back.
func (t *turn) done() {
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
	case <-ctx.Done():
		return fmt.Errorf("waiting for one of %d handshakes to end: %w", cap(turn), dialer.CauseOf(ctx, ctx.Err()))
	}
}

// taken is how many handshakes go on.
func (t *turns) taken() int { return len(t.all) }
