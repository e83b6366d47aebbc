package selector

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// destination is an address as rules see it: a literal IP address or a name,
// never both and never neither, and a port.
type destination struct {
	addr netip.Addr // without zone, IPv4-mapped addresses unmapped
	name string     // canonical
	port uint16
}

// parseDestination is strict. Whatever stands behind the selector parses the
// address again, and an address that could be read in two ways could be given
// one class and dialled as another.
func parseDestination(address string) (destination, error) {
	if strings.Contains(address, "://") {
		return destination{}, errors.New("want host:port, not a URL")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return destination{}, err
	}
	var d destination
	var ok bool
	if d.port, ok = parsePort(port); !ok {
		return destination{}, fmt.Errorf("port %q is not a plain number from 1 to 65535", port)
	}
	v6 := strings.Contains(host, ":")
	switch {
	case host == "":
		// net.Dial would take this for the local machine.
		return destination{}, errors.New("the host is empty")
	case address[0] == '[' && !v6:
		return destination{}, fmt.Errorf("brackets are for IPv6 addresses, and %q is none", host)
	case v6, endsInNumber(host):
		d.addr, err = parseLiteral(host)
		return d, err
	}
	if d.name, ok = canonicalName(host); !ok {
		return destination{}, fmt.Errorf("%q is neither an IP address nor a host name", host)
	}
	return d, nil
}

func parseLiteral(host string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("host %q is not a properly written IP address", host)
	}
	if addr.Zone() != "" {
		// The interface it names is one of the machine that dials, which the
		// writer of the rule cannot know.
		return netip.Addr{}, fmt.Errorf("host %q has a zone: no rule matches it", host)
	}
	return addr.Unmap(), nil
}
