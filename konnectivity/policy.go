package konnectivity

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/sallyport/sallyport/dialer"
)

// PolicyRule allows some destinations. CIDRs, Names or both must be given.
//
//   - CIDRs alone allow address literals in them, and any name that resolves
//     into them. Every name must then be resolved to know.
//   - Names alone allow the named hosts at whatever address they resolve to,
//     special addresses excepted.
//   - Both together allow the named hosts as long as they resolve into the CIDRs.
//
// Special addresses are what an agent should not be talked into dialing:
// loopback, link-local, multicast, unspecified (0.0.0.0/8 and ::), broadcast,
// cloud metadata services, IPv4-mapped and IPv4-compatible IPv6, site-local,
// Teredo, the local NAT64 prefix, and 6to4 and NAT64 forms of any of those. They
// are allowed only where a CIDR of the rule names them, that is, lies wholly
// within the special block: 127.0.0.0/8 and 127.0.0.1/32 name loopback,
// 0.0.0.0/0 does not. A metadata address is a block of its own, so that it takes
// its own /32 or /128. Addresses with a zone cannot be named. An agent that
// reaches a kubelet on its own node by loopback needs such a CIDR.
type PolicyRule struct {
	// CIDRs are networks such as "10.0.0.0/8", without host bits.
	CIDRs []string
	// Names are host names: "api.example" is that name, "*.example" every name
	// below example at any depth, but not example itself. Case and a trailing
	// dot do not matter. Addresses belong into CIDRs.
	Names []string
	// Ports are ports and ranges such as "443" and "30000-32767". None means
	// every port.
	Ports []string
}

// A Policy says which destinations an agent may be made to dial: those that at
// least one of its rules allows. A nil or zero Policy allows nothing. A Policy
// never changes and is safe for concurrent use.
type Policy struct {
	rules   []policyRule
	special specialBlocks
}

// NewPolicy compiles rules. There must be at least one: an agent without a
// policy would dial whatever its server asks for. The error names the rule (from
// 0), the field and the value that are wrong, and what is right. The rules are
// not kept.
func NewPolicy(rules ...PolicyRule) (*Policy, error) {
	if len(rules) == 0 {
		return nil, errors.New("konnectivity: a policy without rules allows nothing; say what is allowed")
	}
	p := &Policy{special: newSpecialBlocks()}
	for i, r := range rules {
		c, err := compilePolicyRule(r)
		if err != nil {
			return nil, fmt.Errorf("konnectivity: policy rule %d: %w", i, err)
		}
		p.rules = append(p.rules, c)
	}
	return p, nil
}

// Allow returns nil if a connection to addr may be made for somebody who asked
// for host, a name or an address literal without brackets. Call it for every
// address a name resolved to, and dial the address that was checked. It has the
// form of a dial's check hook and does not look at the context.
//
// addr is judged in the form it has: IPv4 addresses that a resolver reports as
// IPv4-mapped must be unmapped before. A literal host is judged in the form it
// was asked for, so unmapping its addr hides nothing.
//
// The error wraps [dialer.ErrDenied] and says which destination and why.
func (p *Policy) Allow(_ context.Context, host string, addr netip.AddrPort) error {
	t, err := newPolicyTarget(host, addr.Port())
	if err != nil {
		return denyTarget(host, addr, err.Error())
	}
	if err := t.resolved(addr.Addr()); err != nil {
		return denyTarget(host, addr, err.Error())
	}
	if p == nil {
		return denyTarget(host, addr, "there is no policy")
	}
	t.block, t.special = p.special.find(t.addr)
	for _, r := range p.rules {
		if r.allows(t) {
			return nil
		}
	}
	return denyTarget(host, addr, p.whyNot(t))
}

// AllowName returns nil if some rule could allow host, a name or an address
// literal without brackets, at port. Ask it before resolving a name: a name that
// no rule could allow must not even reach the resolver, since looking it up
// would carry it out to whoever runs its DNS zone. Its nil is no permission for
// any address; that is what [Policy.Allow] is for.
//
// The error wraps [dialer.ErrDenied] and says which destination and why.
func (p *Policy) AllowName(ctx context.Context, host string, port uint16) error {
	if a, err := netip.ParseAddr(host); err == nil {
		return p.Allow(ctx, host, netip.AddrPortFrom(a, port))
	}
	unresolved := netip.AddrPortFrom(netip.Addr{}, port)
	t, err := newPolicyTarget(host, port)
	if err != nil {
		return denyTarget(host, unresolved, err.Error())
	}
	if p == nil {
		return denyTarget(host, unresolved, "there is no policy")
	}
	for _, r := range p.rules {
		if r.ports.has(t.port) && r.mayName(t.name) {
			return nil
		}
	}
	return denyTarget(host, unresolved, p.whyNot(t))
}

// whyNot explains a refusal by the first thing that no rule grants.
func (p *Policy) whyNot(t policyTarget) string {
	port, listed := false, false
	for _, r := range p.rules {
		port = port || r.ports.has(t.port)
		listed = listed || r.inCIDRs(t)
	}
	switch {
	case !port:
		return fmt.Sprintf("no rule allows port %d", t.port)
	case t.special && !listed:
		own := netip.PrefixFrom(t.addr, t.addr.BitLen())
		return fmt.Sprintf("%s is special (%s): a rule must name it, as in CIDRs %q", t.addr, t.block.what, own)
	}
	return "no rule allows it"
}

// denyTarget quotes the host, which may hold anything, and cuts it short.
func denyTarget(host string, addr netip.AddrPort, why string) error {
	at := ""
	if a := addr.Addr(); a.IsValid() && a.String() != host {
		at = " at " + a.String()
	}
	return &policyDenial{fmt.Sprintf("%.260q%s, port %d: %s", host, at, addr.Port(), why)}
}

// policyDenial is a denial without the word: whoever reports it, as a
// direct.Dialer does or a dialer.Error with its hop, has said so already.
type policyDenial struct{ text string }

func (e *policyDenial) Error() string { return e.text }

// Unwrap makes it dialer.ErrDenied.
func (e *policyDenial) Unwrap() error { return dialer.ErrDenied }
