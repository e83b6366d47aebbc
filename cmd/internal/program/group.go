package program

import (
	"context"
	"fmt"
	"sync"
)

// Group runs the parts of a program. A part that ends before the program was
// asked to end is a failure of the program.
type Group struct {
	ctx   context.Context
	stop  context.CancelFunc
	ended chan error // of the part that ended first
	parts sync.WaitGroup
}

// NewGroup returns a Group without parts.
func NewGroup() *Group {
	g := &Group{ended: make(chan error, 1)}
	g.ctx, g.stop = context.WithCancel(context.Background())
	return g
}

// Go runs part until Stop ends its context. name is what it is called in the
// error of its end.
func (g *Group) Go(name string, part func(ctx context.Context) error) {
	g.parts.Go(func() {
		err := part(g.ctx)
		select {
		case g.ended <- fmt.Errorf("%s: %w", name, err):
		default: // another one was first
		}
	})
}

// Wait returns nil when ctx has ended, or why a part ended before that.
func (g *Group) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-g.ended:
		return err
	}
}

// Stop ends what still runs and waits for it.
func (g *Group) Stop() {
	g.stop()
	g.parts.Wait()
}
