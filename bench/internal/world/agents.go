package world

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/transport"
)

// Agents says which agents to run.
type Agents struct {
	PKI    PKI
	Server string // the address they connect to
	// Protocol is what they speak; empty is their own choice.
	Protocol konnectivity.Protocol
	// N is how many there are, from 0 on. Each claims the host of HostOf.
	N int
}

// HostOf is the name that agent i claims and that leads to this machine.
func HostOf(i int) string { return fmt.Sprintf("agent-%d.bench", i) }

// Run runs the agents until ctx ends.
func (a Agents) Run(ctx context.Context) error {
	roots, err := a.PKI.roots()
	if err != nil {
		return err
	}
	pair, err := a.PKI.pair("agent")
	if err != nil {
		return err
	}
	policy, err := konnectivity.NewPolicy(konnectivity.PolicyRule{Names: []string{"*.bench"}, CIDRs: []string{"127.0.0.1/32"}})
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	defer running.Wait()
	for i := range a.N {
		agent, err := konnectivity.NewAgent(a.config(i, credentials{transport.StaticRoots(roots), transport.StaticCertificate(pair)}, policy))
		if err != nil {
			return err
		}
		running.Go(func() { agent.Run(ctx) })
	}
	<-ctx.Done()
	return nil
}

// credentials is what all agents share.
type credentials struct {
	roots transport.Roots
	pair  transport.Certificates
}

func (a Agents) config(i int, shared credentials, policy *konnectivity.Policy) konnectivity.AgentConfig {
	cfg := konnectivity.AgentConfig{
		ID: fmt.Sprintf("agent-%d", i), Identifiers: konnectivity.Identifiers{Hosts: []string{HostOf(i)}},
		Servers: []string{a.Server}, Roots: shared.roots, Certificates: shared.pair, Policy: policy,
		Resolver: here{}, DrainTimeout: -1,
	}
	if a.Protocol != "" {
		cfg.Protocols = []konnectivity.Protocol{a.Protocol}
	}
	return cfg
}

// here resolves every name to this machine.
type here struct{}

func (here) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
}
