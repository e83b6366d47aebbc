package konnectivity

import (
	"fmt"
	"slices"
	"strings"
)

// Strategy is a way to find the agents for a destination. The names are
// Konnectivity's.
type Strategy string

const (
	// StrategyDestHost finds the agents that claim the destination itself, by
	// name or by address.
	StrategyDestHost Strategy = "destHost"
	// StrategyCIDR finds the agents that claim a network around the destination,
	// the longest prefix first. Names are in no network.
	StrategyCIDR Strategy = "cidr"
	// StrategyDefaultRoute finds the agents that claim the default route.
	StrategyDefaultRoute Strategy = "defaultRoute"
	// StrategyDefault finds every agent, whatever it claims, and by that leaves
	// Identity no say about destinations: who is admitted gets the traffic of all
	// of them. It is right only where every agent reaches everything.
	StrategyDefault Strategy = "default"
)

// ParseStrategies reads a list such as "destHost,defaultRoute". The error names
// what is none and what there is.
func ParseStrategies(list string) ([]Strategy, error) {
	var all []Strategy
	for name := range strings.SplitSeq(list, ",") {
		all = append(all, Strategy(strings.TrimSpace(name)))
	}
	if err := checkStrategies(all); err != nil {
		return nil, fmt.Errorf("konnectivity: strategies %q: %w", list, err)
	}
	return all, nil
}

func checkStrategies(all []Strategy) error {
	known := []Strategy{StrategyDestHost, StrategyCIDR, StrategyDefaultRoute, StrategyDefault}
	for i, s := range all {
		switch {
		case !slices.Contains(known, s):
			return fmt.Errorf("%q is none; want some of %s", string(s), joinStrategies(known))
		case slices.Contains(all[:i], s):
			return fmt.Errorf("%q twice; say it once", string(s))
		}
	}
	return nil
}

func joinStrategies(all []Strategy) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

// tiersOf returns what the picker asks, in order.
func tiersOf[S candidate](strategies []Strategy) []tier[S] {
	var tiers []tier[S]
	for _, s := range strategies {
		switch s {
		case StrategyDestHost:
			tiers = append(tiers, tierHost[S])
		case StrategyCIDR:
			tiers = append(tiers, tierCIDR[S])
		case StrategyDefaultRoute:
			tiers = append(tiers, tierDefaultRoute[S])
		case StrategyDefault:
			tiers = append(tiers, tierAny[S])
		}
	}
	return tiers
}
