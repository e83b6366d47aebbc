package konnectivity

import (
	"net"
	"sync"

	"github.com/sallyport/sallyport/internal/relay"
)

// cuts are the conns of one listener, of its clients and of their connections,
// that its end resets. One list is cheaper than each of them waiting for it. The
// zero value is ready.
type cuts struct {
	mu    sync.Mutex
	conns map[*cuttable]struct{}
	over  bool
}

type cuttable struct{ conn net.Conn }

// add has conn reset at the end, at once where it has come already, until remove
// is called with the result.
func (c *cuts) add(conn net.Conn) *cuttable {
	e := &cuttable{conn}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		go e.cut()
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
		go e.cut() // one that takes its time keeps no other
	}
	c.conns = nil
}

func (e *cuttable) cut() { relay.Reset(e.conn, errCut) }
