package konnectivity

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/dialer"
)

// defaultCandidates is how many sessions are worth trying for one dial: the
// best, and two more in case it just went away.
const defaultCandidates = 3

// candidate is a live session of an agent as picking sees it. Its methods are
// called with the picker locked: they must be quick, must not block and must not
// call the picker.
type candidate interface {
	comparable
	// load is how busy the session is. Only the order counts.
	load() int
	// draining reports whether the agent asked for no new connections.
	draining() bool
	// identifiers are what the agent was admitted with. They never change.
	identifiers() Identifiers
}

// picker finds the sessions that reach a destination. Several of them may belong
// to one agent; they share its dials. It is safe for concurrent use.
//
// Adding and removing take time proportional to the session's identifiers, and
// picking does not depend on the number of sessions: see bucket.best.
type picker[S candidate] struct {
	tiers []tier[S]

	mu      sync.RWMutex
	entries map[S]*entry[S]
	all     *bucket[S]
	routes  *bucket[S] // those with a default route
	hosts   map[string]*bucket[S]
	addrs   map[netip.Addr]*bucket[S]
	cidrs   map[netip.Prefix]*bucket[S]
	// lengths counts the networks in cidrs by prefix length, so that a lookup
	// asks only for lengths there are. IPv4 comes first.
	lengths [2][129]int
}

// newPicker returns an empty picker that asks tiers in order. None means the
// order that goes from the particular to the general: hosts, networks, default
// routes.
func newPicker[S candidate](tiers ...tier[S]) *picker[S] {
	if len(tiers) == 0 {
		tiers = []tier[S]{tierHost[S], tierCIDR[S], tierDefaultRoute[S]}
	}
	return &picker[S]{
		tiers:   slices.Clone(tiers),
		entries: map[S]*entry[S]{},
		all:     &bucket[S]{},
		routes:  &bucket[S]{},
		hosts:   map[string]*bucket[S]{},
		addrs:   map[netip.Addr]*bucket[S]{},
		cidrs:   map[netip.Prefix]*bucket[S]{},
	}
}

// add makes s a candidate. Adding it again changes nothing. A session whose
// identifiers are malformed is found under none of them; the server has turned
// it away before.
func (p *picker[S]) add(s S) {
	ids, err := s.identifiers().Canonical()
	if err != nil {
		ids = Identifiers{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.entries[s] != nil {
		return
	}
	e := &entry[S]{session: s, ids: ids}
	p.entries[s] = e
	p.all.add(e)
	if ids.DefaultRoute {
		p.routes.add(e)
	}
	for _, h := range ids.Hosts {
		bucketOf(p.hosts, h).add(e)
	}
	for _, a := range ids.Addrs {
		bucketOf(p.addrs, a).add(e)
	}
	for _, c := range ids.CIDRs {
		if p.cidrs[c] == nil {
			p.lengths[family(c.Addr())][c.Bits()]++
		}
		bucketOf(p.cidrs, c).add(e)
	}
}

// remove ends s being a candidate. Removing what is not there changes nothing.
func (p *picker[S]) remove(s S) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[s]
	if e == nil {
		return
	}
	delete(p.entries, s)
	e.leave()
	for _, h := range e.ids.Hosts {
		dropEmpty(p.hosts, h)
	}
	for _, a := range e.ids.Addrs {
		dropEmpty(p.addrs, a)
	}
	for _, c := range e.ids.CIDRs {
		if dropEmpty(p.cidrs, c) {
			p.lengths[family(c.Addr())][c.Bits()]--
		}
	}
}

// candidates returns up to limit sessions that reach host, a name or an address
// without port, best first: by tier, within a tier the least loaded first, equals
// in random order. Draining ones come last, and only where there are too few
// others. A session is listed once. Zero or a negative limit means
// defaultCandidates. The result is empty if no session reaches host.
func (p *picker[S]) candidates(host string, limit int) []S {
	if limit <= 0 {
		limit = defaultCandidates
	}
	d := newDestination(host)
	c := choice[S]{limit: limit}
	c.ranks = c.few[:0]
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, t := range p.tiers {
		t(p, d, &c)
		if c.full() {
			return c.live
		}
	}
	return c.all()
}

// len returns the number of sessions.
func (p *picker[S]) len() int {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return len(p.entries)
}

// noRoute is the error for a host without candidates. It wraps dialer.ErrNoRoute
// and names what is served instead: the mistake is most often in a name, on one
// side or the other.
func (p *picker[S]) noRoute(host string) error {
	served, all := p.served(5)
	switch {
	case len(served) == 0:
		return fmt.Errorf("%w: no agent for %.260q: none is connected", dialer.ErrNoRoute, host)
	case !all:
		served = append(served, "and others")
	}
	return fmt.Errorf("%w: no agent for %.260q; those connected serve %s", dialer.ErrNoRoute, host, strings.Join(served, "; "))
}

// served describes what the agents claim, up to limit different claims in order,
// and reports whether these are all. Whoever may ask for any destination can
// cause this at any rate, so it looks at a few agents and not at all of them.
func (p *picker[S]) served(limit int) (claims []string, all bool) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	all = len(p.entries) <= sampleSize
	seen := 0
	for _, e := range p.entries {
		if seen++; seen > sampleSize {
			break
		}
		claim := e.ids.brief()
		if slices.Contains(claims, claim) {
			continue
		}
		if len(claims) == limit {
			all = false
			break
		}
		claims = append(claims, claim)
	}
	slices.Sort(claims)
	return claims, all
}

// destination is a host as the tiers look it up: an address or a name.
type destination struct {
	addr netip.Addr
	name string
}

// newDestination reads host as Identifiers.Canonical reads a claim, so that both
// meet whatever form they were written in. It checks nothing: a malformed name
// is simply not found. An address keeps its zone, and so is found by default
// routes alone.
func newDestination(host string) destination {
	if a, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return destination{addr: a.Unmap()}
	}
	return destination{name: strings.ToLower(strings.TrimSuffix(host, "."))}
}

// family is the index of a's family in picker.lengths.
func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}
