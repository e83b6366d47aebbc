package konnectivity

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/sallyport/sallyport/dialer"
)

// IdentityRule says what the holder of a certificate, of a token or of both may
// claim.
//
// The first five fields say whom the rule is for: three look at the verified
// certificate, two at the token's user. At least one must be given, and all that
// are given must match, so a rule that names things of both needs both. The
// others say what those agents may claim; what is not said is not allowed.
//
// Where CommonName or User ends in '*', "{name}" in AgentIDs and Hosts stands for
// what '*' matched. Where both do, both must have matched the same. That part is
// taken literally, never as a pattern.
type IdentityRule struct {
	// CommonName is the subject's common name, or a prefix of it followed by
	// '*', which matches one character or more.
	CommonName string
	// Group is one of the subject's organizations.
	Group string
	// URI is the certificate's one and only URI name, as in SPIFFE.
	URI string
	// User is the name of the token's user, or a prefix of it followed by '*',
	// which matches one character or more.
	User string
	// UserGroup is one of the groups of the token's user.
	UserGroup string

	// AgentIDs are the ids the agent may have: "edge-1", "edge-*" or "*" for any.
	// At least one must be given.
	AgentIDs []string
	// Hosts are the names it may claim: "edge-1.example", "*.example" for all
	// below example, or "*" for any.
	Hosts []string
	// CIDRs are the networks that every address and network it claims must lie
	// in, each in one of them as a whole. 0.0.0.0/0 is as good as a default route.
	CIDRs []string
	// SANs allows it to claim the DNS names and the addresses its own
	// certificate is for.
	SANs bool
	// DefaultRoute allows it to be picked for whatever nobody else claims.
	DefaultRoute bool
}

// NewIdentity returns an Identity that admits a claim if one of rules allows all
// of it; two rules that each allow a half do not add up. Only the verified leaf
// certificate of a finished handshake counts, and the user of a token the server
// has checked; who shows neither is denied everything.
//
// There must be at least one rule. The error names the rule (from 0), the field
// and the value that are wrong, and what is right. The rules are not kept.
func NewIdentity(rules ...IdentityRule) (Identity, error) {
	if len(rules) == 0 {
		return nil, errors.New("konnectivity: an identity without rules admits nobody; say who may claim what")
	}
	var compiled identityRules
	for i, r := range rules {
		c, err := compileIdentityRule(r)
		if err != nil {
			return nil, fmt.Errorf("konnectivity: identity rule %d: %w", i, err)
		}
		compiled = append(compiled, c)
	}
	return compiled, nil
}

// NodeIdentity is the Identity for agents that use their kubelet's credentials.
// A certificate of group system:nodes with the common name system:node:<name>
// may claim the agent id <name>, the host <name>, and the DNS names and
// addresses it is itself for. It may claim no networks and no default route.
//
// It never matches an agent that shows a token alone: for those write an
// [IdentityRule] with User.
func NodeIdentity() Identity {
	rule, err := compileIdentityRule(NodeRule())
	if err != nil {
		return IdentityFunc(nil) // denies; a test keeps it from coming to this
	}
	return identityRules{rule}
}

// NodeRule is the rule of [NodeIdentity], for a NewIdentity that has others too.
func NodeRule() IdentityRule {
	return IdentityRule{
		CommonName: "system:node:*", Group: "system:nodes",
		AgentIDs: []string{placeholder}, Hosts: []string{placeholder}, SANs: true,
	}
}

// identityRule is an IdentityRule that was checked and compiled.
type identityRule struct {
	commonName textPattern
	group, uri string
	user       textPattern
	userGroup  string

	agentIDs           []textPattern
	hosts              []hostPattern
	cidrs              []netip.Prefix
	sans, defaultRoute bool
}

type identityRules []identityRule

// Authorize implements Identity.
func (rules identityRules) Authorize(_ context.Context, p Peer, c Claim) error {
	h, err := newHolder(p)
	if err != nil {
		return err
	}
	if c, err = c.canonical(); err != nil {
		return fmt.Errorf("%s: %w", h, err)
	}
	denied := errors.New("no rule is for it")
	for i, matched := 0, false; i < len(rules); i++ {
		name, ok := rules[i].isFor(h)
		if !ok {
			continue
		}
		err := rules[i].check(h.leaf, name, c)
		if err == nil {
			return nil
		}
		if !matched { // the first rule for this holder explains best
			denied, matched = err, true
		}
	}
	return fmt.Errorf("%w: agent %s with %s: %w", dialer.ErrDenied, c.AgentID, h, denied)
}

// isFor reports whether the rule is for h, and what '*' matched.
func (r identityRule) isFor(h holder) (name string, ok bool) {
	if r.wantsCertificate() {
		if name, ok = r.isForLeaf(h.leaf); !ok {
			return "", false
		}
	}
	if !r.wantsUser() {
		return name, true
	}
	userName, ok := r.isForUser(h.user)
	switch {
	case !ok:
		return "", false
	case r.commonName.prefix && r.user.prefix:
		return name, name == userName
	case r.user.prefix:
		return userName, true
	}
	return name, true
}

func (r identityRule) wantsCertificate() bool {
	return !r.commonName.empty() || r.group != "" || r.uri != ""
}

func (r identityRule) wantsUser() bool { return !r.user.empty() || r.userGroup != "" }

// isForLeaf reports whether the certificate is one the rule names; nil is none.
func (r identityRule) isForLeaf(leaf *x509.Certificate) (name string, ok bool) {
	if leaf == nil {
		return "", false
	}
	if r.group != "" && !slices.Contains(leaf.Subject.Organization, r.group) {
		return "", false
	}
	if r.uri != "" && (len(leaf.URIs) != 1 || leaf.URIs[0].String() != r.uri) {
		return "", false
	}
	if r.commonName.empty() {
		return "", true
	}
	return r.commonName.cut(leaf.Subject.CommonName)
}

// isForUser reports whether the user is one the rule names; nil is none.
func (r identityRule) isForUser(u *User) (name string, ok bool) {
	if u == nil || u.Name == "" {
		return "", false
	}
	if r.userGroup != "" && !slices.Contains(u.Groups, r.userGroup) {
		return "", false
	}
	if r.user.empty() {
		return "", true
	}
	return r.user.cut(u.Name)
}

// check returns an error that names the first part of the claim the rule does
// not allow.
func (r identityRule) check(leaf *x509.Certificate, name string, c Claim) error {
	if !slices.ContainsFunc(r.agentIDs, func(p textPattern) bool { return p.match(name, c.AgentID) }) {
		return fmt.Errorf("it may not have the agent id %q", c.AgentID)
	}
	for _, h := range c.Identifiers.Hosts {
		if !r.allowsHost(leaf, name, h) {
			return fmt.Errorf("it may not claim the host %q", h)
		}
	}
	for _, a := range c.Identifiers.Addrs {
		if !r.allowsAddr(leaf, name, a) {
			return fmt.Errorf("it may not claim the address %s", a)
		}
	}
	for _, p := range c.Identifiers.CIDRs {
		if !r.allowsCIDR(p) {
			return fmt.Errorf("it may not claim the network %s", p)
		}
	}
	if c.Identifiers.DefaultRoute && !r.defaultRoute {
		return errors.New("it may not claim the default route")
	}
	return nil
}

func (r identityRule) allowsHost(leaf *x509.Certificate, name, host string) bool {
	if slices.ContainsFunc(r.hosts, func(p hostPattern) bool { return p.match(name, host) }) {
		return true
	}
	return r.sans && leaf != nil && slices.ContainsFunc(leaf.DNSNames, func(san string) bool {
		n, err := canonicalName(san) // a wildcard is no name, so it matches nothing
		return err == nil && n == host
	})
}

// allowsAddr looks at the hosts too: nodes may be named by their address, and a
// host claim that is an address arrives here as one.
func (r identityRule) allowsAddr(leaf *x509.Certificate, name string, a netip.Addr) bool {
	if slices.ContainsFunc(r.cidrs, func(c netip.Prefix) bool { return c.Contains(a) }) {
		return true
	}
	if slices.ContainsFunc(r.hosts, func(p hostPattern) bool { return p.matchAddr(name, a) }) {
		return true
	}
	return r.sans && leaf != nil && slices.ContainsFunc(leaf.IPAddresses, func(san net.IP) bool {
		ip, ok := netip.AddrFromSlice(san)
		return ok && ip.Unmap() == a
	})
}

func (r identityRule) allowsCIDR(p netip.Prefix) bool {
	return slices.ContainsFunc(r.cidrs, func(c netip.Prefix) bool { return prefixWithin(p, c) })
}
