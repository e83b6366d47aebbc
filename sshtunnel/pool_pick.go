package sshtunnel

import (
	"context"
	"fmt"
	"net"

	"github.com/sallyport/sallyport/dialer"
)

// destination is what a dial asks the Pool for: a node by its name, or whichever
// one the host lives on.
type destination struct {
	node  string
	asked bool // the caller named the node; otherwise Locate did
	host  nodeHost
	text  string // host as it was written
}

// destination reads address, and asks Locate about it.
func (p *Pool) destination(ctx context.Context, network, address string, on *onNode) (destination, error) {
	if on != nil {
		return destination{node: on.node, asked: true}, nil
	}
	if network == "unix" {
		return destination{}, fmt.Errorf("%w: the path of a socket lies on no node; name one with Pool.On", dialer.ErrNoRoute)
	}
	text, _, err := net.SplitHostPort(address)
	if err != nil {
		return destination{}, err
	}
	host, err := parseNodeHost(text)
	if err != nil {
		return destination{}, fmt.Errorf("host %q: %w", text, err)
	}
	d := destination{host: host, text: text}
	if p.cfg.Locate != nil {
		if d.node, err = p.cfg.Locate(ctx, host.String()); err != nil {
			return destination{}, fmt.Errorf("locating %q: %w", text, err)
		}
	}
	return d, nil
}

// pick returns the node for a destination. The caller holds mu.
func (p *Pool) pick(want destination) (*poolNode, error) {
	if p.closed {
		return nil, ErrPoolClosed
	}
	n, isDefault, err := p.choose(want)
	if err != nil {
		return nil, err
	}
	if isDefault {
		if p.fallback == nil {
			p.fallback, err = newPoolNode(&p.cfg, p.turns, n)
		}
		return p.fallback, err
	}
	if open := p.nodes[n.Name]; open != nil {
		return open, nil
	}
	open, err := newPoolNode(&p.cfg, p.turns, n)
	if err != nil {
		return nil, fmt.Errorf("node %s: %w", n.Name, err)
	}
	p.nodes[n.Name] = open
	return open, nil
}

// choose says which node a destination lives on, by who knows best: the caller,
// Locate, the nodes' own lists. What none of them knows is the Default's, if there
// is one. The caller holds mu.
func (p *Pool) choose(want destination) (n *Node, isDefault bool, err error) {
	switch {
	case want.asked, want.node != "":
		if n := p.list.byName[want.node]; n != nil {
			return n, false, nil
		}
		if d := p.cfg.Default; want.asked && d != nil && d.Name == want.node {
			return d, true, nil
		}
		return nil, false, p.noRoute(fmt.Sprintf("there is no node %q", want.node))
	default:
		if n := p.list.find(want.host); n != nil {
			return n, false, nil
		}
		if p.cfg.Default != nil {
			return p.cfg.Default, true, nil
		}
		return nil, false, p.noRoute(fmt.Sprintf("no node has %q, and there is no default", want.text))
	}
}

// noRoute says in its words that there is no node, and why the list that says so
// may be old.
func (p *Pool) noRoute(words string) error {
	err := fmt.Errorf("%w: %s", dialer.ErrNoRoute, words)
	if p.stale != nil {
		err = fmt.Errorf("%w (%v)", err, p.stale)
	}
	return err
}
