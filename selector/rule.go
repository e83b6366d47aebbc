package selector

import "fmt"

// A Rule gives a class to the addresses that meet its conditions.
//
// There are two kinds of condition: where to (CIDRs, Hosts and HostSuffixes
// together: any one of them is enough) and which port (any of Ports). A kind
// that is absent asks for nothing; of the kinds that are there, all must be
// met. A rule without any condition is an error, and so is a list that is there
// but empty, because a list that was rendered to nothing must not widen a rule.
// The explicit catch-all is
//
//	Rule{Class: c, CIDRs: []string{"0.0.0.0/0", "::/0"}, HostSuffixes: []string{"."}}
type Rule struct {
	// Class is what the rule gives. It needs a route in [Config].
	Class Class `json:"class" yaml:"class"`

	// CIDRs are networks that hold the address, as in "10.0.0.0/8" or
	// "fd00::/8"; a single address is a "/32" or "/128". Bits behind the prefix
	// must be zero. An IPv4-mapped IPv6 address counts as its IPv4 address. A
	// host name never matches.
	CIDRs []string `json:"cidrs,omitempty" yaml:"cidrs,omitempty"`

	// Hosts are whole host names. For these and HostSuffixes upper and lower
	// case are the same and a trailing dot means nothing. IP addresses belong
	// into CIDRs.
	Hosts []string `json:"hosts,omitempty" yaml:"hosts,omitempty"`

	// HostSuffixes are domains, read as NO_PROXY is: "cluster.local" is that
	// name and every name below it, ".cluster.local" only the names below it,
	// and "." is every name.
	HostSuffixes []string `json:"hostSuffixes,omitempty" yaml:"hostSuffixes,omitempty"`

	// Ports are single ports, "10250", or ranges that include both ends,
	// "30000-32767", from 1 to 65535.
	Ports []string `json:"ports,omitempty" yaml:"ports,omitempty"`
}

// RuleError is one thing that is wrong with one rule. [New] returns all of them
// joined; errors.As finds the first.
type RuleError struct {
	// Index is the rule's place in Config.Rules, from 0, and Class its class.
	Index int
	Class Class
	// Field is the name of the field of [Rule], with an index behind it where
	// the field is a list, or empty where the whole rule is meant.
	Field string
	// Value is the value as it was given.
	Value string
	// Problem says what is wrong and what would be right.
	Problem string
}

// Error names the rule, the field, the value and the problem:
// `selector: rules[2] (class "pod"): Ports[0] "http": want a port ...`.
func (e *RuleError) Error() string {
	where := fmt.Sprintf("selector: rules[%d] (class %q)", e.Index, e.Class)
	if e.Field != "" {
		where += fmt.Sprintf(": %s %q", e.Field, e.Value)
	}
	return where + ": " + e.Problem
}
