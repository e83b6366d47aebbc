package selector

import "strings"

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
