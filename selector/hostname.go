package selector

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// The limits of the DNS, on names without their trailing dot.
const (
	maxName  = 253
	maxLabel = 63
)

// canonicalName returns host in the one spelling names are compared in: lower
// case, no trailing dot. It reports false for what is no host name: rules see
// only names that every resolver reads the same way, so non-ASCII names have to
// come in their xn-- form.
func canonicalName(host string) (string, bool) {
	host = strings.TrimSuffix(host, ".")
	if !isName(host) {
		return "", false
	}
	return strings.ToLower(host), true
}

func isName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	label := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case !isNameByte(c):
			return false
		}
		if label++; label > maxLabel {
			return false
		}
	}
	return label > 0
}

// notHost returns the problem where s is more than a host or another kind of
// address, and says where to write what. It leaves plain nonsense to others.
func notHost(s string) (problem string) {
	if strings.Contains(s, "://") {
		return wantNoURL
	}
	if host, port, err := net.SplitHostPort(s); err == nil && host != "" {
		if isAddress(host) {
			return fmt.Sprintf("a port does not belong here, nor does an IP address: write %s into CIDRs and %q into Ports", asCIDR(host), port)
		}
		return fmt.Sprintf("a port does not belong here: write %q, and %q into Ports", host, port)
	}
	if isAddress(s) {
		return fmt.Sprintf("an IP address is no host name: write %s into CIDRs", asCIDR(s))
	}
	return ""
}

const wantNoURL = "want a host name, not a URL"

// isAddress reports whether host is meant as an IP address, be it a good one or
// not.
func isAddress(host string) bool { return strings.Contains(host, ":") || endsInNumber(host) }

// asCIDR returns the network that is the address host alone, quoted, or says
// what one looks like.
func asCIDR(host string) string {
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if err != nil || addr.Zone() != "" {
		return `the network, as in "10.0.0.1/32",`
	}
	addr = addr.Unmap()
	return strconv.Quote(netip.PrefixFrom(addr, addr.BitLen()).String())
}

// isNameByte allows the underscore besides letters, digits and hyphen: names of
// machines have it, whatever the RFC says.
func isNameByte(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_'
}

// endsInNumber reports whether host is one that inet_aton, and with it many a
// resolver, may read as an IPv4 address: its last label is a decimal, octal or
// hexadecimal number. No top-level domain looks so. What it holds for is either
// an IPv4 address in its one proper spelling or nothing at all.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := host[strings.LastIndexByte(host, '.')+1:]
	if hex, ok := cutHexPrefix(last); ok {
		return all(hex, isHexDigit)
	}
	return last != "" && all(last, isDigit)
}

func cutHexPrefix(s string) (string, bool) {
	if len(s) >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		return s[2:], true
	}
	return s, false
}

func all(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHexDigit(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}
