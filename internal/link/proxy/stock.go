package proxy

import (
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/wire"
)

// stockTime is how long the first bytes of a target are held back for a client
// that may not be ready for them.
const stockTime = 10 * time.Millisecond

// stockClient is what is known of a client that is not ours. Upstream's knows a
// connection only some moments after it has read the DIAL_RSP, and answers DATA
// before that with CLOSE_REQ. Once it has sent DATA of its own it is ready.
type stockClient struct {
	spoke sync.Once
	ready chan struct{}
}

func newStockClient() *stockClient { return &stockClient{ready: make(chan struct{})} }

// watch returns a hook for packets that goes on to call next, which may be nil.
func (s *stockClient) watch(next func(out bool, t wire.Type)) func(bool, wire.Type) {
	return func(out bool, t wire.Type) {
		if !out && t == wire.Data {
			s.spoke.Do(func() { close(s.ready) })
		}
		if next != nil {
			next(out, t)
		}
	}
}

// conn returns st for the relay, with the first Write held back. The DIAL_RSP
// goes out now.
func (s *stockClient) conn(st *packet.Conn) net.Conn {
	return &stockConn{Conn: st, ready: s.ready, answered: time.Now()}
}

type stockConn struct {
	*packet.Conn
	ready    <-chan struct{}
	answered time.Time
	first    sync.Once
}

// Write writes, the first time not before the client is ready or has had its
// time.
func (c *stockConn) Write(p []byte) (int, error) {
	c.first.Do(c.wait)
	return c.Conn.Write(p)
}

func (c *stockConn) wait() {
	late := time.NewTimer(stockTime - time.Since(c.answered))
	defer late.Stop()
	select {
	case <-c.ready:
	case <-late.C:
	}
}
