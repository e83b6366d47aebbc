package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/backoff"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/link/yamux"
	"github.com/sallyport/sallyport/internal/mux"
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
	tlsConn, err := s.handshake(ctx, conn)
	if err != nil {
		s.refused(AgentRefusal{Remote: conn.RemoteAddr(), Err: fmt.Errorf("TLS handshake: %w", err)})
		return
	}
	s.serveYamux(ctx, tlsConn, settled)
}

func (s *Server) handshake(ctx context.Context, conn net.Conn) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.handshakeTimeout())
	defer cancel()
	tc := tls.Server(conn, s.tls)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	if err := checkHandshake(tc.ConnectionState()); err != nil {
		return nil, err
	}
	return tc, nil
}

// checkHandshake holds every agent to what ServerConfig.TLS promises, whatever a
// GetConfigForClient has made of it.
func checkHandshake(state tls.ConnectionState) error {
	switch {
	case state.NegotiatedProtocol != link.ALPNYamux:
		return fmt.Errorf("the agent offered no protocol of this server; want ALPN %q", link.ALPNYamux)
	case state.Version < tls.VersionTLS13:
		return fmt.Errorf("%s was negotiated; want TLS 1.3", tls.VersionName(state.Version))
	case len(state.VerifiedChains) == 0:
		return errors.New("no client certificate was asked for and verified: GetConfigForClient must set ClientAuth to RequireAndVerifyClientCert")
	}
	return nil
}

// serveYamux serves a tunnel of our own protocol. settled is called when the
// agent no longer counts as one that is being set up.
func (s *Server) serveYamux(ctx context.Context, conn *tls.Conn, settled func()) {
	var a *agentSession
	no := AgentRefusal{Remote: conn.RemoteAddr(), Subject: Peer{TLS: conn.ConnectionState()}.subject()}
	defer func() {
		if a != nil {
			s.leave(a)
		}
	}()
	l := yamux.Server{
		HelloTimeout: s.cfg.handshakeTimeout(),
		Mux:          mux.Config{KeepAlive: s.cfg.KeepAlive, Memory: s.cfg.MemoryPerAgent},
		Authorize: func(ctx context.Context, h message.Hello) (reply message.Reply) {
			no.AgentID = h.AgentID
			a, reply = s.admit(ctx, conn, h)
			settled() // a refused agent may take its time to read why
			return reply
		},
		Up: func(t *yamux.Session, h message.Hello) {
			a.tunnel = t
			s.up(a)
		},
		Down: func(_ *yamux.Session, err error) { s.down(a, err) },
	}
	if err := l.Serve(ctx, conn); a == nil || a.tunnel == nil {
		no.Err = err
		s.refused(no)
	}
}

// admit decides about a hello.
func (s *Server) admit(ctx context.Context, conn *tls.Conn, h message.Hello) (*agentSession, message.Reply) {
	reply := message.Reply{ServerID: s.cfg.ID, ServerCount: 1}
	ids, err := parseIdentifiersLenient(h.Identifiers)
	if err != nil {
		reply.Status, reply.Text = message.Invalid, err.Error()
		return nil, reply
	}
	peer := Peer{RemoteAddr: conn.RemoteAddr(), TLS: conn.ConnectionState()}
	claim, err := Claim{AgentID: h.AgentID, Identifiers: ids}.canonical()
	if err == nil {
		err = s.cfg.Identity.Authorize(ctx, peer, claim)
	}
	if err != nil {
		reply.Status, reply.Text = message.Denied, err.Error()
		return nil, reply
	}
	if err := s.enter(claim.AgentID); err != nil {
		reply.Status, reply.Text = message.Unavailable, err.Error()
		return nil, reply
	}
	return &agentSession{
		server: s, id: claim.AgentID, ids: claim.Identifiers, instance: h.Instance, software: h.Software,
		subject: peer.subject(), remote: peer.RemoteAddr, since: time.Now(),
	}, reply
}

// enter takes a place for one more tunnel of an agent; leave gives it back.
func (s *Server) enter(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != running {
		return ErrServerClosed
	}
	return s.places.take(id)
}

func (s *Server) leave(a *agentSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places.give(a.id)
}

func (s *Server) refused(no AgentRefusal) {
	if s.closing() {
		return
	}
	const maxID = 260 // it has not been checked
	no.AgentID = no.AgentID[:min(len(no.AgentID), maxID)]
	s.log.Warn("agent refused", "remote", no.Remote.String(), "agent", no.AgentID, "subject", no.Subject, "err", no.Err)
	if t := s.cfg.Trace; t != nil && t.AgentRefused != nil {
		t.AgentRefused(no)
	}
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

// addConn takes the conn of an agent that has yet to say who it is. Such conns
// are few: when there are too many the oldest one is closed, so that those who
// connect and say nothing keep nobody out. settled, which may be called again,
// ends that state.
func (s *Server) addConn(c net.Conn) (settled func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != running {
		return nil, false
	}
	s.conns[c] = struct{}{}
	if s.setups.Len() >= s.cfg.maxHandshakes() {
		s.setups.Remove(s.setups.Front()).(net.Conn).Close()
	}
	place := s.setups.PushBack(c)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.setups.Remove(place) // does nothing the second time
	}, true
}

func (s *Server) removeConn(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}
