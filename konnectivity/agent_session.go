package konnectivity

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"net"
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
	Protocol    string    // of its tunnel: see TunnelInfo
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
		ID: a.id, Identifiers: a.ids, Remote: a.remote, Subject: a.subject, Software: a.software,
		Protocol: "yamux", Since: a.since, RTT: a.tunnel.RTT(), Conns: a.load(), Draining: a.draining(),
	}
}

// up makes a selectable. An older tunnel of the same process steps back at once:
// the agent has given it up, we just have not noticed yet.
func (s *Server) up(a *agentSession) {
	s.picker.add(a) // before anybody is told that it is there
	s.mu.Lock()
	twins := s.places.taken[a.id] > 1
	if a.instance != "" {
		key := instance{a.id, a.instance}
		if old := s.newest[key]; old != nil {
			old.superseded.Store(true)
			twins = false
		}
		s.newest[key] = a
	}
	s.sessions[a] = struct{}{}
	leaving := s.state != running
	if s.state != closed {
		close(s.arrived)
		s.arrived = make(chan struct{})
	}
	s.mu.Unlock()
	s.log.Info("agent up", "agent", a.id, "remote", a.remote.String(), "identifiers", a.ids.String())
	if twins {
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
	if a.tunnel.Draining() {
		err = ErrLeft
	}
	s.mu.Lock()
	delete(s.sessions, a)
	if key := (instance{a.id, a.instance}); s.newest[key] == a {
		delete(s.newest, key)
	}
	s.mu.Unlock()
	s.log.Info("agent down", "agent", a.id, "remote", a.remote.String(), "err", err)
	if t := s.cfg.Trace; t != nil && t.AgentDown != nil {
		t.AgentDown(a.info(), err)
	}
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
