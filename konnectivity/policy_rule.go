package konnectivity

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// policyRule is a PolicyRule that was checked and compiled.
type policyRule struct {
	cidrs []netip.Prefix
	names []namePattern
	ports portRanges
}

func compilePolicyRule(r PolicyRule) (policyRule, error) {
	if len(r.CIDRs) == 0 && len(r.Names) == 0 {
		return policyRule{}, errors.New("neither CIDRs nor Names; give at least one, such as CIDRs 10.0.0.0/8")
	}
	cidrs, err := compileAll("CIDRs", r.CIDRs, parseCIDR)
	if err != nil {
		return policyRule{}, err
	}
	names, err := compileAll("Names", r.Names, parseNamePattern)
	if err != nil {
		return policyRule{}, err
	}
	ports, err := compileAll("Ports", r.Ports, parsePortRange)
	if err != nil {
		return policyRule{}, err
	}
	return policyRule{cidrs: cidrs, names: names, ports: ports}, nil
}

// compileAll parses all values of a field, and names field and value when one
// is wrong.
func compileAll[T any](field string, values []string, parse func(string) (T, error)) ([]T, error) {
	var all []T
	for _, v := range values {
		t, err := parse(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", field, v, err)
		}
		all = append(all, t)
	}
	return all, nil
}

func (r policyRule) allows(t policyTarget) bool {
	if !r.ports.has(t.port) || !r.mayName(t.name) {
		return false
	}
	if len(r.cidrs) == 0 {
		return !t.special
	}
	return r.inCIDRs(t)
}

// mayName reports whether the rule could allow name. An address literal has no
// name, and a rule with names does not allow it.
func (r policyRule) mayName(name string) bool {
	return len(r.names) == 0 || slices.ContainsFunc(r.names, func(p namePattern) bool { return p.match(name) })
}

// inCIDRs reports whether a CIDR holds the address and, where the address is
// special, means it: a CIDR wider than the special block is about something else.
func (r policyRule) inCIDRs(t policyTarget) bool {
	return slices.ContainsFunc(r.cidrs, func(c netip.Prefix) bool {
		return c.Contains(t.addr) && (!t.special || prefixWithin(c, t.block.prefix))
	})
}

// parseCIDR refuses host bits: whoever wrote 10.0.0.5/8 meant something else
// than 10.0.0.0/8 or the one host, and only they know which.
func parseCIDR(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			return netip.Prefix{}, fmt.Errorf("an address; for this one alone say %s/%d", a, a.BitLen())
		}
		return netip.Prefix{}, errors.New("not a network; want one such as 10.0.0.0/8")
	}
	if m := p.Masked(); m != p {
		return netip.Prefix{}, fmt.Errorf("bits behind the prefix; say %s or %s/%d", m, p.Addr(), p.Addr().BitLen())
	}
	return p, nil
}

// prefixWithin reports whether all of inner lies in outer.
func prefixWithin(inner, outer netip.Prefix) bool {
	return inner.Bits() >= outer.Bits() && outer.Contains(inner.Addr())
}

// namePattern is a name, or with below every name under it.
type namePattern struct {
	name  string // canonical
	below bool
}

func parseNamePattern(s string) (namePattern, error) {
	if _, err := netip.ParseAddr(s); err == nil {
		return namePattern{}, errors.New("an address; put it into CIDRs")
	}
	rest, below := strings.CutPrefix(s, "*.")
	name, err := canonicalName(rest)
	if err != nil {
		return namePattern{}, fmt.Errorf("%w; patterns are such as api.example and *.example", err)
	}
	if isNumericName(name) {
		return namePattern{}, errors.New("ends in a number, which resolvers take for an address; want a name such as api.example")
	}
	return namePattern{name: name, below: below}, nil
}

func (p namePattern) match(name string) bool {
	if !p.below {
		return name == p.name
	}
	rest, ok := strings.CutSuffix(name, p.name)
	return ok && strings.HasSuffix(rest, ".") // so notexample is not below example
}

// portRanges holds ranges with both ends included. None of them means every
// port.
type portRanges [][2]uint16

func (r portRanges) has(port uint16) bool {
	return len(r) == 0 || slices.ContainsFunc(r, func(p [2]uint16) bool { return p[0] <= port && port <= p[1] })
}

func parsePortRange(s string) ([2]uint16, error) {
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	from, err := parsePort(low)
	if err != nil {
		return [2]uint16{}, err
	}
	to, err := parsePort(high)
	if err != nil {
		return [2]uint16{}, err
	}
	if from > to {
		return [2]uint16{}, fmt.Errorf("runs backwards; say %d-%d", to, from)
	}
	return [2]uint16{from, to}, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != s {
		return 0, errors.New("not a port; want 1 to 65535 such as 443, or a range such as 30000-32767")
	}
	return uint16(n), nil
}
