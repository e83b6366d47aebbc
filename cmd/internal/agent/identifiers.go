package agent

import (
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/konnectivity"
)

// identifiers returns what the agent claims. It takes what Konnectivity's agent
// takes, as far as it says something: a value that was left empty is dropped, an
// address of the other family and a network with bits behind its prefix are
// corrected, and the log says so. A key that does not exist is an error there, too.
func (o *Options) identifiers(log *slog.Logger) (konnectivity.Identifiers, error) {
	values, err := url.ParseQuery(o.Identifiers)
	if err != nil {
		return konnectivity.Identifiers{}, fmt.Errorf("--agent-identifiers is %q: %w; want a query such as host=node-1&ipv4=10.0.0.1", o.Identifiers, err)
	}
	corrected := url.Values{}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(keys(), key) {
			return konnectivity.Identifiers{}, fmt.Errorf("--agent-identifiers is %q: there is no identifier %q; want some of %s, each with a value as in host=node-1",
				o.Identifiers, key, strings.Join(keys(), ", "))
		}
		for _, value := range values[key] {
			k, v := correct(key, value)
			if k != key || v != value {
				log.Warn("identifier corrected", "flag", "--agent-identifiers", "given", key+"="+value, "taken", k+"="+v)
			}
			if v == "" {
				log.Warn("identifier dropped: it has no value", "flag", "--agent-identifiers", "dropped", key+"=")
				continue
			}
			corrected.Add(k, v)
		}
	}
	ids, err := konnectivity.ParseIdentifiers(corrected.Encode())
	if err != nil {
		return ids, fmt.Errorf("--agent-identifiers: %w", err)
	}
	if ids.String() == "" {
		log.Warn("the agent claims nothing, so only servers that pick any agent will pick it: say what it serves with --agent-identifiers",
			"flag", "--agent-identifiers")
	}
	return ids, nil
}

// keys are what an agent can claim.
func keys() []string { return []string{"host", "ipv4", "ipv6", "cidr", "default-route"} }

// correct returns what key=value was meant to say.
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
