package agent

import (
	"fmt"
	"log/slog"

	"github.com/sallyport/sallyport/cmd/internal/flags"
	"github.com/sallyport/sallyport/internal/yamlfile"
	"github.com/sallyport/sallyport/konnectivity"
)

// rule is a konnectivity.PolicyRule in a file.
type rule struct {
	CIDRs []string `yaml:"cidrs"`
	Names []string `yaml:"names"`
	Ports []string `yaml:"ports"`
}

// everywhere are the networks of an agent that was told nothing: all there are.
// Special addresses, such as loopback, are in none of them until one is named.
func everywhere() []string { return []string{"0.0.0.0/0", "::/0"} }

// policy returns what the agent may connect to.
func (o *Options) policy(log *slog.Logger) (*konnectivity.Policy, error) {
	if o.PolicyFile != "" {
		return readPolicy(o.PolicyFile)
	}
	r := o.allowed()
	if len(r.CIDRs) == 0 && len(r.Names) == 0 {
		r.CIDRs = everywhere()
		log.Warn("WHOEVER USES THE SERVER REACHES EVERY ADDRESS THIS AGENT REACHES, but loopback, link-local, multicast and cloud metadata addresses: "+
			"say what the agent may connect to, these addresses included, with --allow-cidrs, --allow-names, --allow-ports or --policy-file",
			"flag", "--allow-cidrs")
	}
	p, err := konnectivity.NewPolicy(r)
	if err != nil {
		return nil, fmt.Errorf("--allow-cidrs, --allow-names or --allow-ports: %w", err)
	}
	return p, nil
}

// allowed is the one rule that the --allow flags make.
func (o *Options) allowed() konnectivity.PolicyRule {
	return konnectivity.PolicyRule{CIDRs: flags.List(o.AllowCIDRs), Names: flags.List(o.AllowNames), Ports: flags.List(o.AllowPorts)}
}

func readPolicy(path string) (*konnectivity.Policy, error) {
	var list []rule
	if err := yamlfile.Read(path, &list); err != nil {
		return nil, fmt.Errorf("--policy-file: %w", err)
	}
	rules := make([]konnectivity.PolicyRule, 0, len(list))
	for _, r := range list {
		rules = append(rules, konnectivity.PolicyRule(r))
	}
	p, err := konnectivity.NewPolicy(rules...)
	if err != nil {
		return nil, fmt.Errorf("--policy-file: %s: %w", path, err)
	}
	return p, nil
}
