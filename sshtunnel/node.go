package sshtunnel

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Node is an SSH server and the destinations that are reached through it, in the
// usual case those on the very machine: its kubelet and its pods.
type Node struct {
	// Name is what errors, logs and [NodeStatus] call the node; required, and no
	// two of a list have the same. At most 253 bytes of printable ASCII without
	// spaces.
	Name string
	// Address is the host:port of the node's SSH server; required. It is not one
	// of its destinations unless Hosts or CIDRs say so, too.
	Address string
	// User is whom to log in as. Empty means the one of [PoolConfig.Template].
	User string
	// Hosts are destinations on the node, each a whole host name or an IP address,
	// in the spelling that callers dial: names are compared and not resolved. Case
	// and a trailing dot do not count.
	Hosts []string
	// CIDRs are networks on the node, such as its pods'. Where those of two nodes
	// overlap the longer prefix wins; an address in Hosts wins over any.
	CIDRs []netip.Prefix
	// HostKeys verify this node's server. Nil means those of the template. Where
	// they change in a new list the next handshake obeys the new ones.
	HostKeys HostKeys
}

// sameServer reports whether a client of n serves o, too: the same account on the
// same server. What verifies the server counts at the next handshake.
func (n *Node) sameServer(o *Node) bool { return n.Address == o.Address && n.User == o.User }

// clone returns a copy that shares no list with n.
func (n *Node) clone() Node {
	c := *n
	c.Hosts, c.CIDRs = slices.Clone(n.Hosts), slices.Clone(n.CIDRs)
	return c
}

func checkNodeName(name string) error {
	if name == "" {
		return errors.New("empty; want what errors and logs are to call the node")
	}
	if len(name) > maxName {
		return fmt.Errorf("%d bytes long; at most %d are allowed", len(name), maxName)
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' {
			return errors.New("want printable ASCII without spaces, as in node-1")
		}
	}
	return nil
}

// canonicalCIDR returns p as lookups want it, or what is wrong with it.
func canonicalCIDR(p netip.Prefix) (netip.Prefix, error) {
	addr := p.Addr()
	switch {
	case !p.IsValid():
		return p, errors.New("no network; want one such as 10.244.1.0/24")
	case addr.Is4In6() && p.Bits() >= 96:
		return p, fmt.Errorf("IPv4-mapped addresses are looked up as IPv4; want %s", netip.PrefixFrom(addr.Unmap(), p.Bits()-96).Masked())
	case p != p.Masked():
		return p, fmt.Errorf("bits behind the prefix; want %s for the network or %s/%d for the address", p.Masked(), addr, addr.BitLen())
	}
	return p, nil
}
