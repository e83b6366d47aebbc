package konnectivity

import (
	"errors"
	"fmt"
	"strings"
)

// The longest name and the longest label DNS can carry, in bytes.
const (
	maxName  = 253
	maxLabel = 63
)

// canonicalName returns name in lower case and without a trailing dot, or says
// what makes it no host name. Only ASCII passes: lower-casing Unicode would let
// look-alikes such as the Kelvin sign turn into the letter they resemble.
// Underscores pass, since real hosts have them.
func canonicalName(name string) (string, error) {
	n := strings.TrimSuffix(name, ".")
	if n == "" {
		return "", errors.New("empty; want a host name such as node-1.example")
	}
	if len(n) > maxName {
		return "", fmt.Errorf("%d bytes long; a host name has at most %d", len(n), maxName)
	}
	for label := range strings.SplitSeq(n, ".") {
		if err := checkLabel(label); err != nil {
			return "", err
		}
	}
	return strings.ToLower(n), nil
}

func checkLabel(label string) error {
	if label == "" {
		return errors.New("not a host name: nothing between two dots; want one such as node-1.example")
	}
	if len(label) > maxLabel {
		return fmt.Errorf("not a host name: a label of %d bytes; at most %d are allowed", len(label), maxLabel)
	}
	for _, r := range label {
		if !isLabelRune(r) {
			return fmt.Errorf("not a host name: %q in it; want letters, digits, '-', '_' and dots", r)
		}
	}
	return nil
}

func isLabelRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_'
}

// isNumericName reports whether name, a canonical one, ends in a number. No
// public name does, but resolvers read such names as IPv4 addresses in old
// spellings: 127.1, 0177.0.0.1, 0x7f000001 and 2130706433 are all 127.0.0.1.
func isNumericName(name string) bool {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}
