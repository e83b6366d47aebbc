package sshtunnel

import (
	"net"
	"time"
)

// closeLinger is how long after Close what has been written may take to go out.
const closeLinger = 30 * time.Second

// Close ends both directions. What was written before still goes out, for at
// most closeLinger; what nobody has read is dropped. Close does not wait. A
// second one returns net.ErrClosed.
func (s *conn) Close() error {
	return s.shut(func() {
		if s.out.finish(true) {
			s.goOn(s.drain)
		}
		s.linger = time.AfterFunc(closeLinger, s.giveUp)
	})
}

// Reset ends both directions at once: what has not been sent is dropped, and the
// channel is closed without an end of file, which is all that SSH has for a
// reset. OpenSSH makes an end of file of it.
func (s *conn) Reset(error) error {
	return s.shut(func() {
		s.out.fail(net.ErrClosed)
		s.goOn(func() { s.ch.Close() })
	})
}

// abort ends both directions when the client is being closed.
func (s *conn) abort() {
	s.shut(func() { s.out.fail(net.ErrClosed) })
}

// shut closes the conn for its users. end tells the server, unless the channel
// is closed already; it is called with s.mu held.
func (s *conn) shut(end func()) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return s.opError("close", net.ErrClosed)
	}
	s.closed, s.onStop = true, nil
	s.in.Close() // before the server answers the end, which a reader would take for its own
	if s.gone {
		s.out.refuse(net.ErrClosed)
	} else {
		end()
	}
	s.stop()
	s.mu.Unlock()
	s.out.deadline.Stop()
	s.c.closed(s)
	return nil
}

// giveUp closes a channel that does not take what was written before Close.
func (s *conn) giveUp() {
	if s.out.fail(net.ErrClosed) {
		s.ch.Close()
	}
}

// closed notes in the books that nobody holds s any more.
func (c *client) closed(s *conn) {
	c.d.mu.Lock()
	defer c.d.mu.Unlock()
	delete(c.conns, s)
	if *s.slot == slotConn {
		c.move(s.slot, slotClosing)
	}
}

// peerGone is called when the channel is closed, by the server or with the
// client. No goroutine of s is started from then on.
func (s *conn) peerGone() {
	s.failWrites()
	s.mu.Lock()
	s.gone = true
	if s.linger != nil {
		s.linger.Stop()
	}
	stop := s.onStop
	s.onStop = nil
	s.mu.Unlock()
	for f := range stop {
		(*f)()
	}
}

// OnPeerStop has f called once when the server has closed the channel and writes
// are of no more use, at once where that is so.
func (s *conn) OnPeerStop(f func()) (cancel func()) {
	s.mu.Lock()
	if s.gone {
		s.mu.Unlock()
		f()
		return func() {}
	}
	if s.onStop == nil {
		s.onStop = make(map[*func()]struct{})
	}
	s.onStop[&f] = struct{}{}
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.onStop, &f)
	}
}
