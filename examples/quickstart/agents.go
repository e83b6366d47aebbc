package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/sallyport/sallyport/konnectivity"
)

// startAgents starts the agent of node-1 and the gateway, each with a
// certificate and a policy of its own.
func (w *world) startAgents(ctx context.Context) error {
	node, err := w.nodeAgent()
	if err != nil {
		return err
	}
	gateway, err := w.gatewayAgent()
	if err != nil {
		return err
	}
	for _, cfg := range []konnectivity.AgentConfig{node, gateway} {
		if err := w.startAgent(cfg); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return w.plane.awaitAgents(ctx, 2)
}

// nodeAgent is for the agent that runs on node-1 and reaches node-1 alone.
func (w *world) nodeAgent() (konnectivity.AgentConfig, error) {
	return w.agent("agent-node-1", nodeName, konnectivity.Identifiers{Hosts: []string{nodeName}},
		// Loopback is refused unless a rule lists it, and here it is all there is.
		konnectivity.PolicyRule{Names: []string{nodeName}, CIDRs: []string{nodeIP + "/32"}})
}

// gatewayAgent is for the agent that reaches pods and services, each on one port.
func (w *world) gatewayAgent() (konnectivity.AgentConfig, error) {
	podPort, err1 := portIn(w.targets.pod)
	servicePort, err2 := portIn(w.targets.service)
	if err := errors.Join(err1, err2); err != nil {
		return konnectivity.AgentConfig{}, err
	}
	pods := []netip.Prefix{netip.MustParsePrefix(podCIDR)}
	return w.agent("agent-gateway", "gateway", konnectivity.Identifiers{CIDRs: pods, DefaultRoute: true},
		konnectivity.PolicyRule{CIDRs: []string{podCIDR}, Ports: []string{podPort}},
		konnectivity.PolicyRule{Names: []string{"*.svc.cluster.local"}, CIDRs: []string{serviceNet}, Ports: []string{servicePort}})
}

func portIn(address string) (string, error) {
	_, port, err := net.SplitHostPort(address)
	return port, err
}

// agent is the configuration of an agent with the certificate in file.
func (w *world) agent(file, id string, ids konnectivity.Identifiers, rules ...konnectivity.PolicyRule) (cfg konnectivity.AgentConfig, err error) {
	policy, err := konnectivity.NewPolicy(rules...)
	if err != nil {
		return cfg, err
	}
	roots, pair, err := w.pki.credentials(tunnelCA, file)
	if err != nil {
		return cfg, err
	}
	return konnectivity.AgentConfig{
		ID: id, Identifiers: ids, Servers: []string{w.plane.address},
		Roots: roots, Certificates: pair,
		Policy: policy, Resolver: w.names,
		DrainTimeout: time.Second,
		Trace:        w.witness.agentTrace(id),
	}, nil
}

// startAgent runs an agent until the world closes.
func (w *world) startAgent(cfg konnectivity.AgentConfig) error {
	stop, err := runAgent(cfg)
	if err != nil {
		return fmt.Errorf("%s: %w", cfg.ID, err)
	}
	w.onClose(stop)
	return nil
}

// runAgent runs an agent until stop, which waits for its end.
func runAgent(cfg konnectivity.AgentConfig) (stop func(), err error) {
	a, err := konnectivity.NewAgent(cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { a.Run(ctx) })
	return func() { cancel(); running.Wait() }, nil
}
