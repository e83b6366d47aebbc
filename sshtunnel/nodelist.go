package sshtunnel

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
)

// Nodes is where a [Pool] learns of its nodes. A *[NodeList], a *[LiveNodes] and a
// *[NodesFile] are Nodes.
type Nodes interface {
	// Current returns the nodes of this moment: the same list until they change,
	// and never nil. The error is nil, or says why the list may be old: the last
	// refresh failed or was refused, and what was known before goes on. It is
	// called at each dial, so it must be quick, and safe for concurrent use.
	Current() (*NodeList, error)
}

// ErrNoNodes is the cause of errors about a list without a node. An empty refresh
// is one of them: it is refused, for a listing that went wrong looks like this,
// and closing every tunnel for it is not what anybody meant.
var ErrNoNodes = errors.New("sshtunnel: no nodes")

var errNilList = errors.New("sshtunnel: PoolConfig.Nodes returned a nil list")

// maxProblems bounds how many faults of a list are told at once.
const maxProblems = 10

// NodeList is a list of nodes that does not change, and where each destination
// lives in it. It is safe for concurrent use.
type NodeList struct {
	byName  map[string]*Node
	hosts   map[string]*Node
	addrs   map[netip.Addr]*Node
	cidrs   map[netip.Prefix]*Node
	lengths [2][]int // prefix lengths in cidrs, longest first; IPv4's and IPv6's
}

// NewNodeList checks nodes, which it copies, and returns them as a list. There has
// to be one at least. Two nodes with one name, host or network are an error: a
// destination lives on one node. The error tells of up to ten faults and begins
// each with the node.
func NewNodeList(nodes ...Node) (*NodeList, error) {
	if len(nodes) == 0 {
		return nil, ErrNoNodes
	}
	l := newNodeList(len(nodes))
	var errs []error
	for i := range nodes {
		n := nodes[i].clone()
		for _, err := range l.add(&n) {
			errs = append(errs, fmt.Errorf("sshtunnel: node %d, %.40q: %w", i, n.Name, err))
		}
		if len(errs) >= maxProblems {
			break
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs[:min(len(errs), maxProblems)]...)
	}
	l.sortLengths()
	return l, nil
}

func newNodeList(n int) *NodeList {
	return &NodeList{
		byName: make(map[string]*Node, n),
		hosts:  make(map[string]*Node, n),
		addrs:  make(map[netip.Addr]*Node, n),
		cidrs:  make(map[netip.Prefix]*Node, n),
	}
}

// Current implements [Nodes]: a list that does not change is never old.
func (l *NodeList) Current() (*NodeList, error) { return l, nil }

// Len returns how many nodes there are.
func (l *NodeList) Len() int { return len(l.byName) }

// Lookup returns the node that host, a name or an IP address without a port, lives
// on, and whether there is one.
func (l *NodeList) Lookup(host string) (Node, bool) {
	h, err := parseNodeHost(host)
	if err != nil {
		return Node{}, false
	}
	n := l.find(h)
	if n == nil {
		return Node{}, false
	}
	return n.clone(), true
}

// find returns the node of h, or nil.
func (l *NodeList) find(h nodeHost) *Node {
	if h.name != "" {
		return l.hosts[h.name]
	}
	if n := l.addrs[h.addr]; n != nil {
		return n
	}
	for _, bits := range l.lengths[family(h.addr)] {
		p, err := h.addr.Prefix(bits)
		if err != nil {
			continue
		}
		if n := l.cidrs[p]; n != nil {
			return n
		}
	}
	return nil
}

// add takes n in and returns what is wrong with it.
func (l *NodeList) add(n *Node) (errs []error) {
	note := func(field string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", field, err))
		}
	}
	note("Name", l.addName(n))
	note(fmt.Sprintf("Address %.80q", n.Address), checkServer(n.Address))
	for i, host := range n.Hosts {
		note(fmt.Sprintf("Hosts[%d] %.80q", i, host), l.addHost(n, host))
	}
	for i, p := range n.CIDRs {
		note(fmt.Sprintf("CIDRs[%d] %s", i, p), l.addCIDR(n, p))
	}
	return errs
}

func (l *NodeList) addName(n *Node) error {
	if err := checkNodeName(n.Name); err != nil {
		return err
	}
	return claim(l.byName, n.Name, n)
}

func (l *NodeList) addHost(n *Node, host string) error {
	h, err := parseNodeHost(host)
	if err != nil {
		return err
	}
	if h.name != "" {
		return claim(l.hosts, h.name, n)
	}
	return claim(l.addrs, h.addr, n)
}

func (l *NodeList) addCIDR(n *Node, p netip.Prefix) error {
	p, err := canonicalCIDR(p)
	if err != nil {
		return err
	}
	return claim(l.cidrs, p, n)
}

// claim gives key to n unless it is another's.
func claim[K comparable](of map[K]*Node, key K, n *Node) error {
	if other := of[key]; other != nil && other != n {
		return fmt.Errorf("node %q has it, too", other.Name)
	}
	of[key] = n
	return nil
}

func (l *NodeList) sortLengths() {
	for p := range l.cidrs {
		f := family(p.Addr())
		if !slices.Contains(l.lengths[f], p.Bits()) {
			l.lengths[f] = append(l.lengths[f], p.Bits())
		}
	}
	for f := range l.lengths {
		slices.SortFunc(l.lengths[f], func(a, b int) int { return cmp.Compare(b, a) })
	}
}

// family is 0 for IPv4 and 1 for IPv6.
func family(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}
