package server

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/yamlfile"
	"github.com/sallyport/sallyport/konnectivity"
)

// The values of --agent-identity.
const (
	identityRules = "rules"
	identityNode  = "node"
	identityAny   = "any"
)

// rule is a konnectivity.IdentityRule in a file.
type rule struct {
	CommonName   string   `yaml:"commonName"`
	Group        string   `yaml:"group"`
	URI          string   `yaml:"uri"`
	AgentIDs     []string `yaml:"agentIDs"`
	Hosts        []string `yaml:"hosts"`
	CIDRs        []string `yaml:"cidrs"`
	SANs         bool     `yaml:"sans"`
	DefaultRoute bool     `yaml:"defaultRoute"`
}

// identity returns what binds the claims of agents to their certificates.
func (o *Options) identity(log *slog.Logger) (konnectivity.Identity, error) {
	switch {
	case o.IdentityRules != "":
		return readRules(o.IdentityRules)
	case o.AgentIdentity == identityNode:
		return konnectivity.NodeIdentity(), nil
	}
	if o.AgentIdentity == "" {
		log.Warn("EVERY AGENT MAY CLAIM TO BE ANY OTHER and draw its traffic, as with Konnectivity's own server: "+
			"bind claims to certificates with --agent-identity=node or --agent-identity-rules=FILE, or say --agent-identity=any to be rid of this warning",
			"flag", "--agent-identity")
	}
	return konnectivity.IdentityFunc(anyClaim), nil
}

// warnOfAnyAgent says that claims which are bound to certificates bind nothing
// where an agent is picked without a look at them.
func (o *Options) warnOfAnyAgent(strategies []konnectivity.Strategy, log *slog.Logger) {
	bound := o.IdentityRules != "" || o.AgentIdentity == identityNode
	if !bound || !slices.Contains(strategies, konnectivity.StrategyDefault) {
		return
	}
	log.Warn("WHAT AGENTS MAY CLAIM DOES NOT LIMIT WHOSE TRAFFIC THEY GET: the strategy default picks any agent, whatever it claims, "+
		"for each destination that no strategy before it has found one for; pick agents by their claims with --proxy-strategies=destHost,cidr,defaultRoute",
		"flag", "--proxy-strategies", "value", o.ProxyStrategies)
}

// anyClaim lets whoever has a verified certificate claim anything.
func anyClaim(_ context.Context, p konnectivity.Peer, _ konnectivity.Claim) error {
	if len(p.TLS.VerifiedChains) == 0 {
		return fmt.Errorf("%w: no verified client certificate", dialer.ErrDenied)
	}
	return nil
}

func readRules(path string) (konnectivity.Identity, error) {
	var list []rule
	if err := yamlfile.Read(path, &list); err != nil {
		return nil, fmt.Errorf("--agent-identity-rules: %w", err)
	}
	rules := make([]konnectivity.IdentityRule, 0, len(list))
	for _, r := range list {
		rules = append(rules, konnectivity.IdentityRule{
			CommonName: r.CommonName, Group: r.Group, URI: r.URI, AgentIDs: r.AgentIDs,
			Hosts: r.Hosts, CIDRs: r.CIDRs, SANs: r.SANs, DefaultRoute: r.DefaultRoute,
		})
	}
	id, err := konnectivity.NewIdentity(rules...)
	if err != nil {
		return nil, fmt.Errorf("--agent-identity-rules: %s: %w", path, err)
	}
	return id, nil
}
