package selector

import "strings"

// suffix is a compiled entry of HostSuffixes.
type suffix struct {
	every bool   // "."
	exact string // the domain itself, empty where only names below it count
	below string // the domain with a dot before it
}

const wantSuffix = `want a domain, as in "cluster.local" (with the name itself), ".cluster.local" (only below it) or "." (every name)`

// parseSuffix returns the problem where s is no suffix.
func parseSuffix(s string) (x suffix, problem string) {
	if s == "." {
		return suffix{every: true}, ""
	}
	if rest, ok := strings.CutPrefix(s, "*."); ok {
		return suffix{}, `there are no wildcards: write ".` + rest + `"`
	}
	domain, onlyBelow := strings.CutPrefix(s, ".")
	if problem := notHost(s); problem != "" {
		return suffix{}, problem
	}
	name, ok := canonicalName(domain)
	if !ok {
		return suffix{}, wantSuffix
	}
	x = suffix{exact: name, below: "." + name}
	if onlyBelow {
		x.exact = ""
	}
	return x, ""
}

// match expects a canonical name, which is never empty.
func (x suffix) match(name string) bool {
	return x.every || name == x.exact || strings.HasSuffix(name, x.below)
}
