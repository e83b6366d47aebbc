package sshtunnel

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// PoolStatus is what a [Pool] knows of itself at one moment.
type PoolStatus struct {
	// Nodes is how many nodes the list has, without the Default.
	Nodes int
	// NodesErr is why the list may be old: its last refresh failed or was refused,
	// since NodesSince. Nil, and zero, when all is well.
	NodesErr   error
	NodesSince time.Time
	// Clients is how many nodes have been dialed, the Default included; of them
	// Gone are no longer in the list and wait for their last connections.
	Clients, Gone int
	// Handshakes is how many are going on.
	Handshakes int
}

// NodeStatus is what a [Pool] knows of a node at one moment.
type NodeStatus struct {
	// Name and Address are the node's.
	Name, Address string
	// Default marks [PoolConfig.Default]; Gone a node that is not in the list any
	// more, or has another address or user there, and still has connections.
	Default, Gone bool
	// Status is that of the node's Dialer. Of a node that was never dialed it has
	// the address alone, and the state Idle.
	Status
}

// Status returns what the Pool knows of itself.
func (p *Pool) Status() PoolStatus {
	p.refresh()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PoolStatus{
		Nodes: p.list.Len(), NodesErr: p.stale, NodesSince: p.since,
		Clients: len(p.nodes) + len(p.leaving), Gone: len(p.leaving), Handshakes: p.turns.handshakes(),
	}
	if p.fallback != nil {
		s.Clients++
	}
	return s
}

// Nodes returns the status of each node, by name: those of the list, the Default,
// and those that are gone.
func (p *Pool) Nodes() []NodeStatus {
	p.refresh()
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]NodeStatus, 0, p.list.Len()+len(p.leaving)+1)
	for _, n := range p.list.byName {
		all = append(all, p.nodeStatus(n, p.nodes[n.Name]))
	}
	for n := range p.leaving {
		s := p.nodeStatus(n.node(), n)
		s.Gone = true
		all = append(all, s)
	}
	if d := p.cfg.Default; d != nil {
		s := p.nodeStatus(d, p.fallback)
		s.Default = true
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b NodeStatus) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Address, b.Address))
	})
	return all
}

// nodeStatus returns the status of n, with what is open for it, which may be nil.
// The caller holds mu.
func (p *Pool) nodeStatus(n *Node, open *poolNode) NodeStatus {
	s := NodeStatus{Name: n.Name, Address: n.Address}
	s.Server, s.User = n.Address, cmp.Or(n.User, p.cfg.Template.User)
	if open != nil {
		s.Status = open.dialer.Status()
	}
	return s
}

// Ready returns nil when a dial can be tried: there are nodes, one at least is not
// being left alone after a failure, and the list is not older than StaleAfter. A
// node that was never dialed counts as one that may be tried.
func (p *Pool) Ready() error {
	p.refresh()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return ErrPoolClosed
	case p.list.Len() == 0 && p.cfg.Default == nil:
		return cmp.Or(p.stale, ErrNoNodes)
	case p.stale != nil && p.cfg.StaleAfter > 0 && time.Since(p.since) >= p.cfg.StaleAfter:
		return fmt.Errorf("%w, for %v", p.stale, time.Since(p.since).Round(time.Second))
	}
	return p.anyReady()
}

// anyReady returns nil when one node may be tried. The caller holds mu.
func (p *Pool) anyReady() error {
	if len(p.nodes) < p.list.Len() || p.cfg.Default != nil && p.fallback == nil {
		return nil // somebody nobody has dialed
	}
	var errs []error
	for _, n := range p.everyone() {
		if n.gone {
			continue
		}
		err := n.dialer.Ready()
		if err == nil {
			return nil
		}
		if len(errs) < maxProblems {
			errs = append(errs, fmt.Errorf("node %s: %w", n.node().Name, err))
		}
	}
	return errors.Join(errs...)
}

// readyOn is Ready for the node of that name alone.
func (p *Pool) readyOn(node string) error {
	p.refresh()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrPoolClosed
	}
	n, isDefault, err := p.choose(destination{node: node, asked: true})
	if err != nil {
		return err
	}
	open := p.fallback
	if !isDefault {
		open = p.nodes[n.Name]
	}
	if open == nil {
		return nil
	}
	return open.dialer.Ready()
}
