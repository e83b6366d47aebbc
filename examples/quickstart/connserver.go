package main

import (
	"net"
	"sync"
)

// connServer serves the conns of a listener, each on a goroutine of its own, and
// can be waited for.
type connServer struct {
	ln      net.Listener
	handle  func(c net.Conn) // until c has ended
	running sync.WaitGroup

	mu     sync.Mutex
	conns  map[net.Conn]struct{}
	closed bool
}

// serveConns serves the conns of ln with handle until stop, and closes them
// behind it.
func serveConns(ln net.Listener, handle func(net.Conn)) *connServer {
	s := &connServer{ln: ln, handle: handle, conns: map[net.Conn]struct{}{}}
	s.running.Go(s.accept)
	return s
}

// stop ends the server with its conns and waits for them.
func (s *connServer) stop() {
	s.ln.Close()
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

func (s *connServer) accept() {
	for {
		c, err := s.ln.Accept()
		if err != nil {
			return
		}
		if !s.add(c) {
			c.Close()
			return
		}
		s.running.Go(func() { s.serve(c) })
	}
}

// add takes c in, unless the server has been stopped.
func (s *connServer) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.conns[c] = struct{}{}
	}
	return !s.closed
}

func (s *connServer) serve(c net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		c.Close()
	}()
	s.handle(c)
}
