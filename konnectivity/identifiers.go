package konnectivity

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxIdentifiers bounds what one agent may say: the server keeps an index entry
// for each, and an agent is not trusted to be modest.
const maxIdentifiers = 1024

// Identifiers is what an agent says it can reach. The zero value says nothing:
// such an agent is picked only by a server that picks any agent.
//
// Values made by [ParseIdentifiers] are canonical; others become so by
// [Identifiers.Canonical].
type Identifiers struct {
	// Hosts are names that are reached through the agent, usually its node's
	// own. They are compared whole, never as patterns.
	Hosts []string
	// Addrs are addresses that are reached through the agent. They have no zone.
	Addrs []netip.Addr
	// CIDRs are networks that are reached through the agent. The longest one
	// that holds a destination wins.
	CIDRs []netip.Prefix
	// DefaultRoute offers the agent for every destination no agent names.
	DefaultRoute bool
}

// Canonical returns id in the one form that compares: names in lower case
// without a trailing dot, IPv4-mapped addresses as IPv4, networks masked, all
// sorted and without duplicates. Hosts that are address literals move to Addrs,
// since Konnectivity's agents may say host=10.0.0.1.
//
// The error names the key and the value that are wrong, and what is right. id
// itself is not changed, and the result shares no memory with it.
func (id Identifiers) Canonical() (Identifiers, error) {
	if n := len(id.Hosts) + len(id.Addrs) + len(id.CIDRs); n > maxIdentifiers {
		return Identifiers{}, fmt.Errorf("identifiers: %d of them; at most %d are allowed", n, maxIdentifiers)
	}
	c := Identifiers{DefaultRoute: id.DefaultRoute}
	for _, h := range id.Hosts {
		if err := c.addHost(h); err != nil {
			return Identifiers{}, err
		}
	}
	for _, a := range id.Addrs {
		if err := c.addAddr(a); err != nil {
			return Identifiers{}, err
		}
	}
	for _, p := range id.CIDRs {
		if err := c.addCIDR(p); err != nil {
			return Identifiers{}, err
		}
	}
	c.sort()
	if n := len(c.query()); n > maxIdentifierQuery {
		return Identifiers{}, fmt.Errorf("identifiers: %d bytes as a query; at most %d are allowed", n, maxIdentifierQuery)
	}
	return c, nil
}

// String returns id as Konnectivity's URL query, in canonical order:
// "cidr=10.0.0.0%2F8&default-route=true&host=a&ipv4=10.0.0.1". Identifiers that
// are not valid are written as they are.
func (id Identifiers) String() string {
	if c, err := id.Canonical(); err == nil {
		id = c
	}
	return id.query()
}

// empty reports whether id claims nothing.
func (id Identifiers) empty() bool {
	return len(id.Hosts)+len(id.Addrs)+len(id.CIDRs) == 0 && !id.DefaultRoute
}

// brief describes id for people: the first few of each kind, as in
// "host=node-1 ipv4=10.0.0.1", and how many more there are.
func (id Identifiers) brief() string {
	const few = 2
	var parts []string
	for _, h := range id.Hosts[:min(few, len(id.Hosts))] {
		parts = append(parts, keyHost+"="+h)
	}
	for _, a := range id.Addrs[:min(few, len(id.Addrs))] {
		parts = append(parts, addrKey(a)+"="+a.String())
	}
	for _, c := range id.CIDRs[:min(few, len(id.CIDRs))] {
		parts = append(parts, keyCIDR+"="+c.String())
	}
	more := len(id.Hosts) + len(id.Addrs) + len(id.CIDRs) - len(parts)
	if id.DefaultRoute {
		parts = append(parts, keyDefaultRoute+"=true")
	}
	if more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, " ")
}

// query encodes id as it is.
func (id Identifiers) query() string {
	q := url.Values{}
	for _, h := range id.Hosts {
		q.Add(keyHost, h)
	}
	for _, a := range id.Addrs {
		q.Add(addrKey(a), a.String())
	}
	for _, p := range id.CIDRs {
		q.Add(keyCIDR, p.String())
	}
	if id.DefaultRoute {
		q.Add(keyDefaultRoute, strconv.FormatBool(true))
	}
	return q.Encode()
}

func (id *Identifiers) addHost(h string) error {
	if a, err := netip.ParseAddr(h); err == nil {
		return id.addAddr(a)
	}
	name, err := canonicalName(h)
	if err != nil {
		return identifierError(keyHost, h, err)
	}
	id.Hosts = append(id.Hosts, name)
	return nil
}

func (id *Identifiers) addAddr(a netip.Addr) error {
	switch {
	case !a.IsValid():
		return identifierError(addrKey(a), a.String(), errors.New("not an address; want one such as 10.0.0.1"))
	case a.Zone() != "":
		return identifierError(addrKey(a), a.String(), errors.New("a zone means something on one node only; leave it out"))
	}
	id.Addrs = append(id.Addrs, a.Unmap())
	return nil
}

func (id *Identifiers) addCIDR(p netip.Prefix) error {
	c, err := canonicalPrefix(p)
	if err != nil {
		return identifierError(keyCIDR, p.String(), err)
	}
	id.CIDRs = append(id.CIDRs, c)
	return nil
}

func (id *Identifiers) sort() {
	slices.Sort(id.Hosts)
	id.Hosts = slices.Compact(id.Hosts)
	slices.SortFunc(id.Addrs, netip.Addr.Compare)
	id.Addrs = slices.Compact(id.Addrs)
	slices.SortFunc(id.CIDRs, comparePrefix)
	id.CIDRs = slices.Compact(id.CIDRs)
}

// canonicalPrefix masks p and writes an IPv4-mapped network as the IPv4 network
// it stands for, because netip would never find an IPv4 address in it.
func canonicalPrefix(p netip.Prefix) (netip.Prefix, error) {
	if !p.IsValid() {
		return netip.Prefix{}, errors.New("not a network; want one such as 10.0.0.0/8")
	}
	if p.Addr().Is4In6() {
		if p.Bits() < mappedBits {
			return netip.Prefix{}, errors.New("wider than the IPv4-mapped addresses; want an IPv4 network such as 10.0.0.0/8")
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mappedBits)
	}
	return p.Masked(), nil
}

// mappedBits is the length of ::ffff:0:0/96, the IPv4-mapped addresses.
const mappedBits = 96

func comparePrefix(a, b netip.Prefix) int {
	return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
}

func addrKey(a netip.Addr) string {
	if a.Is6() && !a.Is4In6() {
		return keyIPv6
	}
	return keyIPv4
}
