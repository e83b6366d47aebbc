package konnectivity

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
)

// The keys of Konnectivity's query.
const (
	keyHost         = "host"
	keyIPv4         = "ipv4"
	keyIPv6         = "ipv6"
	keyCIDR         = "cidr"
	keyDefaultRoute = "default-route"
)

// maxIdentifierQuery bounds a query in bytes. It leaves room in a hello, which
// carries the query, for the rest of what an agent says.
const maxIdentifierQuery = 48 << 10

// ParseIdentifiers reads Konnectivity's query form, such as
// "host=node-1&ipv4=10.0.0.1&cidr=10.1.0.0/16&default-route=true". Keys may
// repeat. An empty query gives the zero Identifiers.
//
// It is meant for what an operator wrote, so it is strict: an unknown key, an
// empty value, an address under the other family's key, and a network with bits
// behind its prefix are errors. The error names the key, the value and what is
// right. The result is canonical.
func ParseIdentifiers(query string) (Identifiers, error) {
	return identifierParser{strict: true}.parse(query)
}

// parseIdentifiersLenient reads the query an agent sent. Agents of other
// versions may know more keys and other agents check less, so it ignores
// unknown keys and empty values, takes an address under either key, and drops
// the bits behind a network's prefix. A value that says nothing at all is still
// an error.
func parseIdentifiersLenient(query string) (Identifiers, error) {
	return identifierParser{}.parse(query)
}

type identifierParser struct{ strict bool }

func (p identifierParser) parse(query string) (Identifiers, error) {
	if len(query) > maxIdentifierQuery {
		return Identifiers{}, fmt.Errorf("identifiers: %d bytes; at most %d are allowed", len(query), maxIdentifierQuery)
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return Identifiers{}, fmt.Errorf("identifiers %.80q: %w; want a query such as host=node-1&ipv4=10.0.0.1", query, err)
	}
	var id Identifiers
	// In order, so that the same query always gives the same error.
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if err := p.addAll(&id, key, values[key]); err != nil {
			return Identifiers{}, err
		}
	}
	return id.Canonical()
}

func (p identifierParser) addAll(id *Identifiers, key string, values []string) error {
	if key == keyDefaultRoute {
		return p.setDefaultRoute(id, values)
	}
	for _, v := range values {
		if v == "" && !p.strict {
			continue // an unset variable in an agent's flags claims nothing
		}
		if err := p.add(id, key, v); err != nil {
			return err
		}
	}
	return nil
}

func (p identifierParser) add(id *Identifiers, key, value string) error {
	switch key {
	case keyHost:
		id.Hosts = append(id.Hosts, value)
	case keyIPv4, keyIPv6:
		return p.addAddr(id, key, value)
	case keyCIDR:
		return p.addCIDR(id, value)
	default:
		if p.strict {
			return identifierError(key, value, errors.New("unknown key; want host, ipv4, ipv6, cidr or default-route"))
		}
	}
	return nil
}

// addCIDR refuses bits behind the prefix only in strict mode: an operator who
// wrote 10.0.0.1/8 meant the one address or the whole network, and claiming the
// wrong one takes traffic from other agents.
func (p identifierParser) addCIDR(id *Identifiers, value string) error {
	c, err := netip.ParsePrefix(value)
	if err != nil {
		return identifierError(keyCIDR, value, errors.New("not a network; want one such as 10.0.0.0/8"))
	}
	network, err := canonicalPrefix(c)
	if err != nil {
		return identifierError(keyCIDR, value, err)
	}
	if a := c.Addr().Unmap(); p.strict && c != c.Masked() {
		return identifierError(keyCIDR, value, fmt.Errorf("bits behind the prefix; say %s for the network or %s/%d for the address", network, a, a.BitLen()))
	}
	id.CIDRs = append(id.CIDRs, c)
	return nil
}

func (p identifierParser) addAddr(id *Identifiers, key, value string) error {
	a, err := netip.ParseAddr(value)
	if err != nil {
		return identifierError(key, value, errors.New("not an address; want one such as "+addrExample(key)))
	}
	if want := addrKey(a); p.strict && key != want {
		return identifierError(key, value, fmt.Errorf("an address of the other family; want %s=%s", want, a.Unmap()))
	}
	id.Addrs = append(id.Addrs, a)
	return nil
}

// setDefaultRoute refuses values that contradict each other rather than let
// their order decide who gets the traffic.
func (p identifierParser) setDefaultRoute(id *Identifiers, values []string) error {
	said := false
	for _, v := range values {
		if v == "" && !p.strict {
			continue
		}
		b, err := strconv.ParseBool(v)
		if err != nil {
			return identifierError(keyDefaultRoute, v, errors.New("want true or false"))
		}
		if said && b != id.DefaultRoute {
			return identifierError(keyDefaultRoute, v, errors.New("said before, and otherwise; say it once"))
		}
		id.DefaultRoute, said = b, true
	}
	return nil
}

func addrExample(key string) string {
	if key == keyIPv6 {
		return "2001:db8::1"
	}
	return "10.0.0.1"
}

// identifierError cuts the value short: it may come from a hostile agent and
// ends in a log.
func identifierError(key, value string, why error) error {
	return fmt.Errorf("identifier %.40q, value %.80q: %w", key, value, why)
}
