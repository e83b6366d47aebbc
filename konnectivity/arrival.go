package konnectivity

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/grpc"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/link/yamux"
	"github.com/sallyport/sallyport/internal/mux"
	"github.com/sallyport/sallyport/internal/record"
)

// arrival is an agent that has finished its TLS handshake, until its tunnel ends.
// Its methods are called by its link, on one goroutine.
type arrival struct {
	server  *Server
	conn    *tls.Conn
	settled func() // it no longer counts as one that is being set up
	peer    Peer
	session *agentSession // once it is admitted
	no      AgentRefusal  // what to tell should it not be
	untold  error         // why it was not, where it was not told; or nil
}

// serverLink is the server's end of one tunnel, of whatever protocol.
type serverLink interface {
	// Serve serves conn, which it owns, until ctx ends, the agent goes or the
	// session is closed. It joins everything it started.
	Serve(ctx context.Context, conn net.Conn) error
}

func newArrival(s *Server, conn *tls.Conn, settled func()) *arrival {
	peer := Peer{RemoteAddr: conn.RemoteAddr(), TLS: conn.ConnectionState()}
	return &arrival{
		server: s, conn: conn, settled: settled, peer: peer,
		no: AgentRefusal{Remote: peer.RemoteAddr, Subject: peer.subject()},
	}
}

// serve serves the tunnel to its end.
func (a *arrival) serve(ctx context.Context, p Protocol) {
	defer func() {
		if a.session != nil {
			a.server.leave(a.session)
		}
	}()
	err := a.link(p).Serve(ctx, record.Over(a.conn))
	if a.session == nil || a.session.tunnel == nil {
		if a.no.Err = err; a.untold != nil {
			a.no.Err = fmt.Errorf("%w: %w", err, a.untold)
		}
		a.server.refused(a.no)
	}
}

// link returns the server's end of a tunnel that speaks p.
func (a *arrival) link(p Protocol) serverLink {
	cfg := &a.server.cfg
	if p == ProtocolYamux {
		return &yamux.Server{
			HelloTimeout: cfg.handshakeTimeout(),
			Mux:          mux.Config{KeepAlive: cfg.KeepAlive, Memory: cfg.MemoryPerAgent},
			Authorize:    a.authorize,
			Up:           func(t *yamux.Session, _ message.Hello) { a.up(t) },
			Down:         func(_ *yamux.Session, err error) { a.down(err) },
		}
	}
	onPacket, onError := cfg.Trace.packetHooks()
	return &grpc.Server{
		HelloTimeout: cfg.handshakeTimeout(), KeepAlive: cfg.KeepAlive, Memory: cfg.MemoryPerAgent,
		NoWindows: p == ProtocolPackets, OnPacket: onPacket, OnError: onError,
		Authorize: a.authorize,
		Up:        func(t *grpc.Session, _ message.Hello) { a.up(t) },
		Down:      func(_ *grpc.Session, err error) { a.down(err) },
	}
}

// authorize decides about the agent's hello.
func (a *arrival) authorize(ctx context.Context, h message.Hello) message.Reply {
	a.no.AgentID = h.AgentID
	reply := message.Reply{ServerID: a.server.cfg.ID, ServerCount: a.server.cfg.serverCount()}
	if status, err := a.admit(ctx, h); err != nil {
		// It may take its time to read why, and counts for as long: those who come to
		// be refused would hold any number of connections otherwise.
		reply.Status, reply.Text = status, err.Error()
		return reply
	}
	a.settled()
	return reply
}

// admit lets the agent in, or says why not.
func (a *arrival) admit(ctx context.Context, h message.Hello) (message.Status, error) {
	s := a.server
	ids, err := parseIdentifiersLenient(h.Identifiers)
	if err != nil {
		return message.Invalid, err
	}
	user, status, err := s.authenticate(ctx, a.peer, h.Token)
	if err != nil {
		if unchecked, ok := errors.AsType[*uncheckedError](err); ok {
			a.untold = unchecked.why
		}
		return status, err
	}
	if user != nil {
		a.peer.User, a.no.User = user, user.Name
	}
	claim, err := Claim{AgentID: h.AgentID, Identifiers: ids}.canonical()
	if err == nil {
		err = s.cfg.Identity.Authorize(ctx, a.peer, claim)
	}
	if err != nil {
		return message.Denied, redact(err, h.Token)
	}
	if err := s.enter(claim.AgentID); err != nil {
		return message.Unavailable, err
	}
	a.session = &agentSession{
		server: s, id: claim.AgentID, ids: claim.Identifiers, instance: h.Instance, software: h.Software,
		subject: a.no.Subject, user: a.no.User, remote: a.peer.RemoteAddr, since: time.Now(),
	}
	return message.OK, nil
}

func (a *arrival) up(t link.Session) {
	a.session.tunnel = t
	a.server.up(a.session)
}

func (a *arrival) down(err error) { a.server.down(a.session, err) }

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

// words are why, for a log line that says already who was refused.
func (no *AgentRefusal) words() string {
	re, ok := no.Err.(*link.RefusedError) // and nothing beside, which is for the log too
	if !ok {
		return no.Err.Error()
	}
	text := cmp.Or(re.Reply.Text, re.Reply.Status.String())
	denied, rest, _ := strings.Cut(text, "agent "+no.AgentID)
	if sep := strings.IndexAny(rest, ": "); denied == dialer.ErrDenied.Error()+": " && sep == 0 {
		return denied + strings.TrimLeft(rest, ": ")
	}
	return text
}

func (s *Server) refused(no AgentRefusal) {
	if s.closing() {
		return
	}
	const maxID = 260 // it has not been checked
	no.AgentID = no.AgentID[:min(len(no.AgentID), maxID)]
	s.log.Warn("agent refused", "remote", no.Remote.String(), "agent", no.AgentID, "subject", no.Subject, "user", no.User, "err", no.words())
	if t := s.cfg.Trace; t != nil && t.AgentRefused != nil {
		t.AgentRefused(no)
	}
}
