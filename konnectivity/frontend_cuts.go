package konnectivity

import (
	"context"
	"net"
	"sync"

	"github.com/sallyport/sallyport/internal/relay"
)

// cuts are the conns of one listener, of its clients and of their connections,
// that its end resets. One list is cheaper than each of them waiting for it. The
// zero value is ready.
type cuts struct {
	mu      sync.Mutex
	conns   map[*cuttable]struct{}
	over    bool
	cutting sync.WaitGroup // Add only under mu, and not once join was called
}

type cuttable struct{ conn net.Conn }

// follow resets all conns at the end of ctx, now and later. join, which is called
// when no more are added, returns when nothing of that goes on.
func (c *cuts) follow(ctx context.Context) (join func()) {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(ended); c.end() })
	return func() {
		if !stop() {
			<-ended
		}
		c.cutting.Wait()
	}
}

// add has conn reset at the end, at once where it has come already, until remove
// is called with the result.
func (c *cuts) add(conn net.Conn) *cuttable {
	e := &cuttable{conn}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		c.cut(e)
		return e
	}
	if c.conns == nil {
		c.conns = make(map[*cuttable]struct{})
	}
	c.conns[e] = struct{}{}
	return e
}

func (c *cuts) remove(e *cuttable) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, e)
}

// end resets all conns, now and later.
func (c *cuts) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	for e := range c.conns {
		c.cut(e)
	}
	c.conns = nil
}

// cut resets a conn. One that takes its time keeps no other. c.mu is held.
func (c *cuts) cut(e *cuttable) {
	c.cutting.Go(func() { relay.Reset(e.conn, errCut) })
}
