package sshtunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
)

// poolNode is a node that was dialed, with its Dialer.
type poolNode struct {
	keys   *nodeKeys
	dialer *Dialer
	turns  *turns
	failed atomic.Bool // by its last handshake

	// The Pool's lock guards what follows.
	dials int  // going on
	gone  bool // no longer of the list; it gets no new dials
}

// newPoolNode starts nothing.
func newPoolNode(cfg *PoolConfig, t *turns, n *Node) (*poolNode, error) {
	keys := &nodeKeys{template: cfg.Template.HostKeys}
	keys.node.Store(n)
	if keys.current() == nil {
		return nil, errors.New("sshtunnel: HostKeys is nil for the node and in the template")
	}
	p := &poolNode{keys: keys, turns: t}
	c := cfg.forNode(n, keys)
	c.turn, c.Trace = p.admit, p.watch(c.Trace)
	var err error
	p.dialer, err = New(c)
	return p, err
}

// node is the node as the last list has it.
func (p *poolNode) node() *Node { return p.keys.node.Load() }

// admit is asked before each handshake.
func (p *poolNode) admit(ctx context.Context) (admission, error) {
	t, err := p.turns.take(ctx, &p.failed)
	if err != nil {
		return nil, err // not a nil *turn in an interface
	}
	return t, nil
}

// slow is when a handshake that was given up tells something about the server.
const slow = time.Second

// watch returns trace with an eye on handshakes. One that was given up soon says
// nothing about the server; but one that hangs would never be known for that, where
// nobody has the patience to see it fail.
func (p *poolNode) watch(trace *Trace) *Trace {
	var t Trace
	if trace != nil {
		t = *trace
	}
	next := t.HandshakeDone
	t.HandshakeDone = func(server ServerInfo, took time.Duration, err error) {
		if dialer.KindOf(err) != dialer.Canceled || took >= slow {
			p.failed.Store(err != nil)
		}
		if next != nil {
			next(server, took, err)
		}
	}
	return &t
}

// named returns err, of a dial through the node, with the node's name at its hop.
func (p *poolNode) named(err error) error {
	de, ok := err.(*dialer.Error)
	if !ok {
		return err
	}
	c, n := *de, p.node()
	if c.Hop == dialer.HopSSH || c.Hop == dialer.HopSSH+" "+n.Address {
		c.Hop = dialer.HopSSH + " " + n.Name
	} else {
		// The target, or a bastion on the way.
		c.Hop += " via node " + n.Name
	}
	return &c
}

// nodeKeys are the host keys of a node, whichever list it is from last.
type nodeKeys struct {
	node     atomic.Pointer[Node]
	template HostKeys
}

func (k *nodeKeys) current() HostKeys {
	if keys := k.node.Load().HostKeys; keys != nil {
		return keys
	}
	return k.template
}

// Verify implements [HostKeys].
func (k *nodeKeys) Verify(address string, remote net.Addr, key ssh.PublicKey) error {
	keys := k.current()
	if keys == nil {
		return fmt.Errorf("no HostKeys for node %s", k.node.Load().Name)
	}
	return keys.Verify(address, remote, key)
}

// Algorithms implements [HostKeys].
func (k *nodeKeys) Algorithms(address string) []string {
	keys := k.current()
	if keys == nil {
		return nil
	}
	return keys.Algorithms(address)
}

func (k *nodeKeys) known(address string) []KnownKey {
	if keys, ok := k.current().(knower); ok {
		return keys.known(address)
	}
	return nil
}
