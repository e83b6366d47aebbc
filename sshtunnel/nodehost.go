package sshtunnel

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// The limits of the DNS, on names without their trailing dot.
const (
	maxName  = 253
	maxLabel = 63
)

// nodeHost is a destination's host as nodes are looked up by it: an address or a
// name, never both and never neither.
type nodeHost struct {
	addr netip.Addr // without zone, IPv4-mapped addresses unmapped
	name string     // lower case, without a trailing dot
}

// String returns the address or the name.
func (h nodeHost) String() string {
	if h.name != "" {
		return h.name
	}
	return h.addr.String()
}

// parseNodeHost is strict: the SSH server reads the host again, and one that two
// could read differently would lead to one node and be dialed as another.
func parseNodeHost(host string) (nodeHost, error) {
	if strings.Contains(host, ":") || endsInNumber(host) {
		addr, err := netip.ParseAddr(host)
		switch {
		case err != nil:
			return nodeHost{}, errors.New("not a properly written IP address, and no host name")
		case addr.Zone() != "":
			return nodeHost{}, errors.New("an address with a zone lies on no node: zones are of the machine that dials")
		}
		return nodeHost{addr: addr.Unmap()}, nil
	}
	name := strings.TrimSuffix(host, ".")
	if err := checkHostName(name); err != nil {
		return nodeHost{}, err
	}
	return nodeHost{name: strings.ToLower(name)}, nil
}

// checkHostName passes ASCII alone: lower-casing more would let look-alikes of a
// letter turn into it.
func checkHostName(name string) error {
	if name == "" {
		return errors.New("empty; want a host name or an IP address")
	}
	if len(name) > maxName {
		return fmt.Errorf("%d bytes long; a host name has at most %d", len(name), maxName)
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > maxLabel {
			return fmt.Errorf("no host name: want 1 to %d bytes between dots", maxLabel)
		}
		for i := range len(label) {
			if !isLabelByte(label[i]) {
				return fmt.Errorf("no host name: %q in it; want letters, digits, '-', '_' and dots", label[i])
			}
		}
	}
	return nil
}

func isLabelByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

// endsInNumber reports whether host is one that many a resolver reads as an IPv4
// address in some spelling, such as 127.1 or 0x7f000001.
func endsInNumber(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}
