package konnectivity

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
)

func compileIdentityRule(r IdentityRule) (identityRule, error) {
	if r.CommonName == "" && r.Group == "" && r.URI == "" && r.User == "" && r.UserGroup == "" {
		return identityRule{}, errors.New("none of CommonName, Group, URI, User and UserGroup; say whose certificates or tokens it is for")
	}
	if len(r.AgentIDs) == 0 {
		return identityRule{}, errors.New(`AgentIDs: none; every agent has an id, say which are allowed or "*" for any`)
	}
	c := identityRule{group: r.Group, uri: r.URI, userGroup: r.UserGroup, sans: r.SANs, defaultRoute: r.DefaultRoute}
	var err error
	if c.commonName, err = parseHolderName(r.CommonName); err != nil {
		return identityRule{}, fmt.Errorf("CommonName: %q: %w", r.CommonName, err)
	}
	if c.user, err = parseHolderName(r.User); err != nil {
		return identityRule{}, fmt.Errorf("User: %q: %w", r.User, err)
	}
	if err := checkURI(r.URI); err != nil {
		return identityRule{}, fmt.Errorf("URI: %q: %w", r.URI, err)
	}
	named := c.commonName.prefix || c.user.prefix
	c.agentIDs, err = compileAll("AgentIDs", r.AgentIDs, func(s string) (textPattern, error) { return parseAgentIDPattern(s, named) })
	if err != nil {
		return identityRule{}, err
	}
	c.hosts, err = compileAll("Hosts", r.Hosts, func(s string) (hostPattern, error) { return parseHostPattern(s, named) })
	if err != nil {
		return identityRule{}, err
	}
	c.cidrs, err = compileAll("CIDRs", r.CIDRs, parseClaimCIDR)
	return c, err
}

// checkURI refuses a spelling that no certificate's URI could ever have here.
func checkURI(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return errors.New("not a URI; want one such as spiffe://example.org/agent")
	}
	if u.String() != s {
		return fmt.Errorf("not in canonical form; say %s", u)
	}
	return nil
}

// parseClaimCIDR refuses IPv4-mapped networks, which claims never have.
func parseClaimCIDR(s string) (netip.Prefix, error) {
	p, err := parseCIDR(s)
	if err != nil {
		return p, err
	}
	if m, err := canonicalPrefix(p); err != nil || m != p {
		return netip.Prefix{}, errors.New("IPv4-mapped; want an IPv4 network such as 10.0.0.0/8")
	}
	return p, nil
}
