package sshtunnel

import (
	"errors"
	"fmt"
	"time"
)

// refresh looks at the list of nodes and takes what is new.
func (p *Pool) refresh() {
	// A look that began before another one must not undo what that has seen; no
	// lock is held meanwhile, for a file may be slow to read.
	ticket := p.tickets.Add(1)
	list, err := p.cfg.Nodes.Current()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || ticket < p.applied {
		return
	}
	p.applied = ticket
	switch {
	case list == p.list:
	case list == nil:
		err = errNilList
	case list.Len() == 0:
		err = ErrNoNodes
	case list.Len() > p.cfg.MaxNodes:
		err = p.tooMany(list)
	default:
		p.take(list)
	}
	p.noteStale(err)
}

func (p *Pool) tooMany(list *NodeList) error {
	return fmt.Errorf("sshtunnel: a list of %d nodes; PoolConfig.MaxNodes is %d", list.Len(), p.cfg.MaxNodes)
}

// take puts list in place of the one before. The caller holds mu.
func (p *Pool) take(list *NodeList) {
	before := p.list
	p.list = list
	gone := 0
	for name, open := range p.nodes {
		n := list.byName[name]
		if n != nil && n.sameServer(open.node()) {
			open.keys.node.Store(n)
			continue
		}
		gone++
		delete(p.nodes, name)
		p.dismiss(open)
	}
	p.cfg.Log.Info("nodes changed", "nodes", list.Len(), "before", before.Len(), "clients ending", gone)
}

// dismiss lets n end with its last connection. The caller holds mu.
func (p *Pool) dismiss(n *poolNode) {
	n.gone = true
	if len(p.leaving) >= p.cfg.MaxNodes {
		p.cfg.Log.Warn("too many nodes that are gone have connections: cutting those of one", "node", n.node().Name)
		p.ending.Go(func() { n.dialer.Close() })
		return
	}
	p.leaving[n] = struct{}{}
	if n.dials == 0 {
		p.retire(n)
	}
}

// retire has a node that is gone, and has no dial under way, leave when its last
// connection has ended. The caller holds mu.
func (p *Pool) retire(n *poolNode) {
	none := n.dialer.retire(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.left(n)
	})
	if none {
		p.left(n)
	}
}

// left forgets a node that is gone, now that nothing goes through it. The caller
// holds mu.
func (p *Pool) left(n *poolNode) {
	if _, ok := p.leaving[n]; !ok {
		return // the Pool is closed, or the node was cut
	}
	delete(p.leaving, n)
	p.cfg.Log.Info("the last connection through a node that is gone has ended", "node", n.node().Name)
	p.ending.Go(func() { n.dialer.Close() }) // which waits for what the Dialer started
}

// noteStale keeps why the list may be old, and tells the log when that changes. The
// caller holds mu.
func (p *Pool) noteStale(err error) {
	switch {
	case err == nil && p.stale != nil:
		p.cfg.Log.Info("node list refreshed again", "nodes", p.list.Len())
		p.since = time.Time{}
	case err != nil && p.stale == nil:
		p.since = time.Now()
	}
	told := false // by the file's own log
	if s, ok := errors.AsType[*fileStale](err); ok {
		told = s.told
	}
	if err != nil && !told && (p.stale == nil || p.stale.Error() != err.Error()) {
		p.cfg.Log.Warn("node list not refreshed, keeping the last good one", "nodes", p.list.Len(), "err", err)
	}
	p.stale = err
}
