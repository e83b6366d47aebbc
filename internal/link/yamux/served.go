package yamux

import (
	"net"
	"sync"

	"github.com/sallyport/sallyport/internal/mux"
)

// served are the connections that an agent serves: those who have to hear of the
// tunnel's end. One list is cheaper than each of them waiting for it. The zero
// value is ready.
type served struct {
	mu    sync.Mutex
	conns map[*connection]struct{}
	lost  bool // the tunnel has ended
	over  bool // nobody waits for what is left any more
}

// connection is a stream and the target it leads to.
type connection struct {
	st     *mux.Stream
	target net.Conn
}

// add takes a connection, until remove is called with the result.
func (s *served) add(st *mux.Stream, target net.Conn) *connection {
	c := &connection{st, target}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conns == nil {
		s.conns = make(map[*connection]struct{})
	}
	s.conns[c] = struct{}{}
	if s.lost {
		c.tunnelEnded()
	}
	if s.over {
		hangUp(c.target)
	}
	return c
}

func (s *served) remove(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// tunnelEnded tells all connections, now and later, that their tunnel is gone.
func (s *served) tunnelEnded() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = true
	for c := range s.conns {
		c.tunnelEnded()
	}
}

// giveUp ends all connections, now and later.
func (s *served) giveUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	for c := range s.conns {
		hangUp(c.target)
	}
}

// tunnelEnded decides about a connection that outlives its tunnel. One whose far
// end had finished still delivers its last bytes. Any other was cut, and its
// target must see that: an end of file would make the part look like the whole.
func (c *connection) tunnelEnded() {
	if !c.st.PeerFinished() {
		hangUp(c.target)
	}
}

// hangUp resets a target.
func hangUp(target net.Conn) {
	if tcp, ok := target.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	target.Close()
}
