package selector

import (
	"errors"
	"fmt"
	"net/netip"
)

// matcher is a compiled Rule.
type matcher struct {
	class    Class
	anyHost  bool // the rule has conditions on the port alone
	prefixes []netip.Prefix
	hosts    map[string]struct{}
	suffixes []suffix
	ports    []portRange // none: any port
}

func (m *matcher) match(d *destination) bool {
	return m.matchPort(d.port) && m.matchHost(d)
}

func (m *matcher) matchPort(port uint16) bool {
	for _, r := range m.ports {
		if r.match(port) {
			return true
		}
	}
	return len(m.ports) == 0
}

func (m *matcher) matchHost(d *destination) bool {
	switch {
	case m.anyHost:
		return true
	case d.addr.IsValid():
		return m.matchAddr(d.addr)
	}
	return m.matchName(d.name)
}

func (m *matcher) matchAddr(addr netip.Addr) bool {
	for _, p := range m.prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

func (m *matcher) matchName(name string) bool {
	if _, ok := m.hosts[name]; ok {
		return true
	}
	for _, x := range m.suffixes {
		if x.match(name) {
			return true
		}
	}
	return false
}

// compiler turns one rule into a matcher and collects everything that is wrong
// with it: whoever mends a configuration wants to read all of it at once.
type compiler struct {
	index int
	rule  Rule
	errs  []error
}

func compile(index int, rule Rule) (matcher, error) {
	c := &compiler{index: index, rule: rule}
	c.checkShape()
	m := matcher{
		class:   rule.Class,
		anyHost: rule.CIDRs == nil && rule.Hosts == nil && rule.HostSuffixes == nil,
		hosts:   make(map[string]struct{}, len(rule.Hosts)),
	}
	m.prefixes = list(c, "CIDRs", rule.CIDRs, parseCIDR)
	m.suffixes = list(c, "HostSuffixes", rule.HostSuffixes, parseSuffix)
	m.ports = list(c, "Ports", rule.Ports, parsePortRange)
	for _, name := range list(c, "Hosts", rule.Hosts, parseHost) {
		m.hosts[name] = struct{}{}
	}
	return m, errors.Join(c.errs...)
}

func (c *compiler) checkShape() {
	if c.rule.Class == "" {
		c.fail("Class", "", "a rule needs a class to give")
	}
	if c.rule.CIDRs == nil && c.rule.Hosts == nil && c.rule.HostSuffixes == nil && c.rule.Ports == nil {
		c.fail("", "", `the rule has no condition: for every address write CIDRs "0.0.0.0/0" and "::/0" and HostSuffixes "."`)
	}
}

func (c *compiler) fail(field, value, problem string) {
	c.errs = append(c.errs, &RuleError{
		Index: c.index, Class: c.rule.Class, Field: field, Value: value, Problem: problem,
	})
}

// list compiles the values of one field.
func list[T any](c *compiler, field string, values []string, parse func(string) (T, string)) []T {
	if values != nil && len(values) == 0 {
		c.fail(field, "", "the list is there but empty: fill it or leave it out")
	}
	var out []T
	for i, value := range values {
		v, problem := parse(value)
		if problem != "" {
			c.fail(fmt.Sprintf("%s[%d]", field, i), value, problem)
			continue
		}
		out = append(out, v)
	}
	return out
}

const wantCIDR = `want a network, as in "10.0.0.0/8" or "fd00::/8"`

func parseCIDR(s string) (p netip.Prefix, problem string) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			return p, fmt.Sprintf("an address alone is no network: write \"%s/%d\"", addr, addr.BitLen())
		}
		return p, wantCIDR
	}
	addr := p.Addr()
	switch {
	case addr.Is4In6() && p.Bits() >= 96:
		v4 := netip.PrefixFrom(addr.Unmap(), p.Bits()-96).Masked()
		return p, fmt.Sprintf("IPv4-mapped addresses are matched as IPv4: write %q", v4)
	case addr.Is4In6():
		return p, wantCIDR
	case p != p.Masked():
		return p, fmt.Sprintf("there are bits behind the prefix: write %q for the network or \"%s/%d\" for the address",
			p.Masked(), addr, addr.BitLen())
	}
	return p, ""
}

func parseHost(s string) (name, problem string) {
	if problem := notHost(s); problem != "" {
		return "", problem
	}
	name, ok := canonicalName(s)
	if !ok {
		return "", `want a whole host name, as in "node-1.example.com"`
	}
	return name, ""
}
