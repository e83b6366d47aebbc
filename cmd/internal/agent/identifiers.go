package agent

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"slices"

	"github.com/sallyport/sallyport/konnectivity"
)

// identifiers returns what the agent claims. It takes what Konnectivity's agent
// takes, as far as it says something: a value that was left empty, an address of
// the other family and a network with bits behind its prefix are corrected, and
// the log says so.
func (o *Options) identifiers(log *slog.Logger) (konnectivity.Identifiers, error) {
	values, err := url.ParseQuery(o.Identifiers)
	if err != nil {
		return konnectivity.Identifiers{}, fmt.Errorf("--agent-identifiers is %q: %w; want a query such as host=node-1&ipv4=10.0.0.1", o.Identifiers, err)
	}
	corrected := url.Values{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[key] {
			k, v := correct(key, value)
			if k != key || v != value {
				log.Warn("identifier corrected", "flag", "--agent-identifiers", "given", key+"="+value, "taken", k+"="+v)
			}
			if v != "" {
				corrected.Add(k, v)
			}
		}
	}
	ids, err := konnectivity.ParseIdentifiers(corrected.Encode())
	if err != nil {
		return ids, fmt.Errorf("--agent-identifiers: %w", err)
	}
	return ids, nil
}

// correct returns what key=value was meant to say. An empty value is left out.
func correct(key, value string) (k, v string) {
	switch key {
	case "ipv4", "ipv6":
		if a, err := netip.ParseAddr(value); err == nil && a.Unmap().Is4() {
			return "ipv4", value
		} else if err == nil {
			return "ipv6", value
		}
	case "cidr":
		if p, err := netip.ParsePrefix(value); err == nil && p != p.Masked() {
			return key, p.Masked().String()
		}
	}
	return key, value
}
