package konnectivity

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/link"
)

// AgentInfo tells about a connected agent.
type AgentInfo struct {
	ID          string
	Identifiers Identifiers
	Remote      net.Addr  // where its tunnel comes from
	Subject     string    // of its certificate; empty without one
	User        string    // whom its token is for; empty without one
	Software    string    // what it calls itself
	Protocol    Protocol  // of its tunnel: see TunnelInfo
	Since       time.Time // when its tunnel came up
	RTT         time.Duration
	Conns       int  // connections open or being opened through it
	Draining    bool // it has asked for no new connections
}

// instance is one run of one agent.
type instance struct{ id, instance string }

func compareAgents(a, b AgentInfo) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), a.Since.Compare(b.Since))
}

// agentSession is one admitted tunnel. Everything but tunnel is set before it is
// shared; tunnel is set before it is picked.
type agentSession struct {
	server     *Server
	tunnel     link.Session
	id         string
	instance   string
	software   string
	subject    string
	user       string
	ids        Identifiers
	remote     net.Addr
	since      time.Time
	superseded atomic.Bool // the same agent process has a newer tunnel here
}

func (a *agentSession) load() int                { return a.tunnel.Load() }
func (a *agentSession) draining() bool           { return a.superseded.Load() || a.tunnel.Draining() }
func (a *agentSession) identifiers() Identifiers { return a.ids }

func (a *agentSession) info() AgentInfo {
	return AgentInfo{
		ID: a.id, Identifiers: a.ids, Remote: a.remote, Subject: a.subject, User: a.user,
		Software: a.software, Protocol: Protocol(a.tunnel.Protocol()), Since: a.since, RTT: a.tunnel.RTT(), Conns: a.load(), Draining: a.draining(),
	}
}

// up makes a selectable. An older tunnel of the same process steps back at once:
// most often the agent has given it up, and we just have not noticed yet.
func (s *Server) up(a *agentSession) {
	s.picker.add(a) // before anybody is told that it is there
	s.mu.Lock()
	again := s.addTwin(a)
	shared := s.places.taken[a.id] > 1 && !again
	s.sessions[a] = struct{}{}
	leaving := s.state != running
	if s.state != closed {
		close(s.arrived)
		s.arrived = make(chan struct{})
	}
	s.mu.Unlock()
	s.log.Info("agent up", "agent", a.id, "remote", a.remote.String(), "protocol", a.tunnel.Protocol(), "identifiers", a.ids.String())
	if shared {
		s.log.Warn("several agents share one id, and its connections", "agent", a.id, "remote", a.remote.String())
	}
	if t := s.cfg.Trace; t != nil && t.AgentUp != nil {
		t.AgentUp(a.info())
	}
	if leaving {
		a.tunnel.Close()
	}
}

// down forgets a.
func (s *Server) down(a *agentSession, err error) {
	s.picker.remove(a)
	s.mu.Lock()
	switch {
	case a.tunnel.Draining():
		err = ErrLeft
	case s.state == closed:
		err = ErrServerClosed // we hung up, whatever that looks like from below
	}
	delete(s.sessions, a)
	s.removeTwin(a)
	s.mu.Unlock()
	s.log.Info("agent down", "agent", a.id, "remote", a.remote.String(), "err", err)
	if t := s.cfg.Trace; t != nil && t.AgentDown != nil {
		t.AgentDown(a.info(), err)
	}
}

// addTwin makes a the newest tunnel of its process and reports whether there were
// others. s.mu is held.
func (s *Server) addTwin(a *agentSession) (more bool) {
	if a.instance == "" {
		return false
	}
	key := instance{a.id, a.instance}
	for _, old := range s.twins[key] {
		old.superseded.Store(true)
		more = true
	}
	s.twins[key] = append(s.twins[key], a)
	return more
}

// removeTwin forgets a. Where it was the newest of its process, the one before it
// serves again: an agent that looks for other servers behind a load balancer may
// have found this one a second time, and hung up. s.mu is held.
func (s *Server) removeTwin(a *agentSession) {
	key := instance{a.id, a.instance}
	left := slices.DeleteFunc(s.twins[key], func(t *agentSession) bool { return t == a })
	if len(left) == 0 {
		delete(s.twins, key)
		return
	}
	s.twins[key] = left
	left[len(left)-1].superseded.Store(false)
}

// subject describes the peer's certificate for people.
func (p Peer) subject() string {
	leaf, err := verifiedLeaf(p.TLS)
	if err != nil {
		return ""
	}
	return leaf.Subject.String()
}

func randomID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails, says crypto/rand
	return hex.EncodeToString(b[:])
}
