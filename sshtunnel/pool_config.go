package sshtunnel

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// The defaults of a [PoolConfig].
const (
	DefaultMaxHandshakes = 16
	DefaultMaxNodes      = 8192
	DefaultStaleAfter    = 10 * time.Minute
)

// PoolConfig is what [NewPool] builds from.
type PoolConfig struct {
	// Nodes are the SSH servers and what is behind each; required. It is asked at
	// each dial, so what it learns counts from the next one on.
	Nodes Nodes
	// Locate says which node a destination lives on, where the lists of the nodes
	// do not: host is a name in lower case or an IP address. It is asked before
	// them and decides, unless it returns an empty name. A name that Nodes does not
	// have refuses the dial, and so does an error. It must be quick and safe for
	// concurrent use. Nil leaves it to the lists.
	Locate func(ctx context.Context, host string) (node string, err error)
	// Default leads to the destinations that no node has, as a bastion does. Nil
	// refuses them with dialer.ErrNoRoute. Its Hosts and CIDRs must be empty. It is
	// not in Nodes, and no refresh removes it.
	Default *Node
	// Template is the Config of each node's Dialer; its Address must be empty, and
	// its User and HostKeys are for the nodes that have none of their own. Its Via
	// is how all nodes are reached, be it through a bastion. Its Admit must be nil:
	// the Pool has its own. Its Trace is told of all nodes, each by its name. What it
	// bounds it bounds for each node, and the wait
	// after a failed handshake is each node's own.
	Template Config

	// MaxHandshakes bounds how many servers are connected and authenticated to at
	// once; further dials wait, within their bounds. Servers that failed last time
	// get at most half of it (one, where it is 1), so that many dead nodes do not
	// keep the others waiting. The same half is for handshakes that no dial waits
	// for any more; where it is taken they are given up, and where a dial wants a
	// turn and there is none, the one that was left first is. Zero means
	// DefaultMaxHandshakes, negative is an error.
	MaxHandshakes int
	// MaxNodes bounds the nodes of a list: a longer one is refused like an empty
	// one. As many nodes that are gone from the list may let their connections
	// end; those of any further one are cut. Zero means DefaultMaxNodes, negative
	// is an error.
	MaxNodes int
	// StaleAfter is how long the list may fail to be refreshed until Ready says
	// so; Status and the log say it at once. Zero means DefaultStaleAfter,
	// negative means that Ready never does.
	StaleAfter time.Duration

	// Log gets lists and nodes coming and going: what a NodesFile with a log of its
	// own has told there it does not warn of again. Connects are told to
	// Template.Log, with the name of the node. Nil is silent.
	Log *slog.Logger
}

// check completes c and says what is wrong with it.
func (c *PoolConfig) check() error {
	if c.Nodes == nil {
		return errors.New("sshtunnel: PoolConfig.Nodes is nil: want a NodeList, LiveNodes or a NodesFile")
	}
	if c.Template.Address != "" {
		return fmt.Errorf("sshtunnel: PoolConfig.Template.Address is %q: want it empty, each node has its own", c.Template.Address)
	}
	if c.Template.Admit != nil {
		return errors.New("sshtunnel: PoolConfig.Template.Admit is set: want nil, and MaxHandshakes instead")
	}
	if c.MaxHandshakes < 0 {
		return fmt.Errorf("sshtunnel: PoolConfig.MaxHandshakes is %d: want at least 1, or 0 for %d", c.MaxHandshakes, DefaultMaxHandshakes)
	}
	if c.MaxNodes < 0 {
		return fmt.Errorf("sshtunnel: PoolConfig.MaxNodes is %d: want at least 1, or 0 for %d", c.MaxNodes, DefaultMaxNodes)
	}
	c.complete()
	return c.checkDefault()
}

func (c *PoolConfig) complete() {
	if c.MaxHandshakes == 0 {
		c.MaxHandshakes = DefaultMaxHandshakes
	}
	if c.MaxNodes == 0 {
		c.MaxNodes = DefaultMaxNodes
	}
	if c.StaleAfter == 0 {
		c.StaleAfter = DefaultStaleAfter
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
}

func (c *PoolConfig) checkDefault() error {
	if c.Default == nil {
		return nil
	}
	if len(c.Default.Hosts) > 0 || len(c.Default.CIDRs) > 0 {
		return errors.New("sshtunnel: PoolConfig.Default has Hosts or CIDRs: want none, it is for what no node has")
	}
	if _, err := NewNodeList(*c.Default); err != nil {
		return fmt.Errorf("sshtunnel: PoolConfig.Default: %w", err)
	}
	d := c.Default.clone()
	c.Default = &d
	return nil
}

// forNode is the Config of n's Dialer, with keys to verify its server by.
func (c *PoolConfig) forNode(n *Node, keys HostKeys) Config {
	cfg := c.Template
	cfg.Address, cfg.HostKeys = n.Address, keys
	if n.User != "" {
		cfg.User = n.User
	}
	cfg.node = n.Name
	if cfg.Log != nil {
		cfg.Log = cfg.Log.With("node", n.Name) // beside the address, which may be but a number
	}
	return cfg
}

// checkNode reports why no Dialer can be made for n.
func (c *PoolConfig) checkNode(n *Node) error {
	keys := n.HostKeys
	if keys == nil {
		keys = c.Template.HostKeys
	}
	if _, err := New(c.forNode(n, keys)); err != nil {
		return fmt.Errorf("sshtunnel: node %q: %w", n.Name, err)
	}
	return nil
}
