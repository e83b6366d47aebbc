package selector

import "strings"

// portRange is a compiled entry of Ports; both ends belong to it.
type portRange struct{ first, last uint16 }

const wantPorts = `want a port from 1 to 65535, as in "10250", or a range, as in "30000-32767"`

// parsePortRange returns the problem where s is neither a port nor a range.
func parsePortRange(s string) (r portRange, problem string) {
	low, high, isRange := strings.Cut(s, "-")
	if !isRange {
		high = low
	}
	first, ok1 := parsePort(low)
	last, ok2 := parsePort(high)
	switch {
	case !ok1 || !ok2:
		return portRange{}, wantPorts
	case first > last:
		return portRange{}, `the range is empty: write "` + high + "-" + low + `"`
	}
	return portRange{first, last}, ""
}

func (r portRange) match(port uint16) bool { return r.first <= port && port <= r.last }

// parsePort reads a port in its one plain spelling. It knows no names: what
// "http" means is for the machine that dials to say, and that is not this one.
func parsePort(s string) (uint16, bool) {
	if s == "" || len(s) > 5 || s[0] == '0' || !all(s, isDigit) {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return uint16(n), n <= 65535
}
