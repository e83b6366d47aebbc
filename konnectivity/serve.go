package konnectivity

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/backoff"
)

// Serve accepts agents on ln, which it closes, until ctx ends, the listener
// fails, or the server is shut down or closed. It may be called for several
// listeners. It returns after every tunnel accepted on ln has ended:
// ErrServerClosed after Shutdown or Close, otherwise the cause.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	defer ln.Close()
	if err := s.addListener(ln); err != nil {
		return err
	}
	defer s.serving.Done()
	defer s.removeListener(ln)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	stopLife := context.AfterFunc(s.life, func() { cancel(ErrServerClosed) })
	defer stopLife()

	var tunnels sync.WaitGroup
	err := s.acceptLoop(ctx, ln, &tunnels)
	if !s.closing() {
		cancel(err) // the listener failed: its tunnels end with it
	}
	tunnels.Wait()
	if s.closing() {
		return ErrServerClosed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (s *Server) acceptLoop(ctx context.Context, ln net.Listener, tunnels *sync.WaitGroup) error {
	retry := backoff.Policy{Base: 5 * time.Millisecond, Max: time.Second}.New()
	for {
		conn, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return err
			}
			// Out of descriptors, most likely. Existing tunnels go on, and some of
			// their connections will end.
			s.log.Warn("accepting agents", "err", err)
			if err := backoff.Sleep(ctx, retry.Next()); err != nil {
				return err
			}
			continue
		}
		retry.Reset()
		tunnels.Go(func() { s.serveConn(ctx, conn) })
	}
}

// serveConn serves one agent from its TLS handshake to the end of its tunnel.
func (s *Server) serveConn(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	settled, ok := s.addConn(conn)
	if !ok {
		return
	}
	defer s.removeConn(conn)
	defer settled()
	tlsConn, protocol, err := s.handshake(ctx, conn)
	if err != nil {
		s.refused(AgentRefusal{Remote: conn.RemoteAddr(), Err: fmt.Errorf("TLS handshake: %w", err)})
		return
	}
	newArrival(s, tlsConn, settled).serve(ctx, protocol)
}

func (s *Server) closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state != running
}

func (s *Server) addListener(ln net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != running {
		return ErrServerClosed
	}
	s.listeners[ln] = struct{}{}
	s.serving.Add(1)
	return nil
}

func (s *Server) removeListener(ln net.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, ln)
}

// addConn takes the conn of an agent that has yet to say who it is, or to read
// that it was refused. Such conns are few: when there are too many, one of them
// is closed, so that those who connect and say nothing keep nobody out. Which one
// is left to chance: in a flood the oldest would be whoever takes more than a
// moment for its handshake. settled, which may be called again, ends that state.
func (s *Server) addConn(c net.Conn) (settled func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != running {
		return nil, false
	}
	s.conns[c] = struct{}{}
	if s.setups.Len() >= s.cfg.maxHandshakes() {
		s.setups.Remove(s.anySetup()).(net.Conn).Close()
	}
	place := s.setups.PushBack(c)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.setups.Remove(place) // does nothing the second time
	}, true
}

// anySetup picks one of those that are being set up. s.mu is held.
func (s *Server) anySetup() *list.Element {
	picked := s.setups.Front()
	for range rand.IntN(s.setups.Len()) {
		picked = picked.Next()
	}
	return picked
}

func (s *Server) removeConn(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}
