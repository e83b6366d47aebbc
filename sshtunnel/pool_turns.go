package sshtunnel

import (
	"context"
	"fmt"

	"github.com/sallyport/sallyport/dialer"
)

// turns bounds the handshakes of a [Pool] that go on at once. Servers that failed
// last time, the suspects, share half of the turns, so that they cannot take all.
type turns struct {
	all, suspects chan struct{}
}

func newTurns(n int) *turns {
	return &turns{all: make(chan struct{}, n), suspects: make(chan struct{}, max(n/2, 1))}
}

// take waits for a turn and returns how to give it back.
func (t *turns) take(ctx context.Context, suspect bool) (release func(), err error) {
	if !suspect {
		if err := t.await(ctx, t.all); err != nil {
			return nil, err
		}
		return func() { <-t.all }, nil
	}
	if err := t.await(ctx, t.suspects); err != nil {
		return nil, err
	}
	if err := t.await(ctx, t.all); err != nil {
		<-t.suspects
		return nil, err
	}
	return func() { <-t.all; <-t.suspects }, nil
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
