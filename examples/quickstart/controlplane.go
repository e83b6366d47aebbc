package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/sallyport/sallyport/direct"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/selector"
)

// controlPlane is what an apiserver embeds: the server that agents come to, and
// the selector that everything goes out by.
type controlPlane struct {
	server  *konnectivity.Server
	address string // of the server, for agents
	egress  *selector.Selector
	arrived chan string // ids of agents that came up
}

func (w *world) startControlPlane(context.Context) error {
	p := &controlPlane{arrived: make(chan string, 16)}
	if err := p.makeServer(w.pki); err != nil {
		return err
	}
	if err := p.makeEgress(w); err != nil {
		return err
	}
	ln, err := listen(planeIP)
	if err != nil {
		return err
	}
	p.address = ln.Addr().String()
	w.plane = p
	var serving sync.WaitGroup
	serving.Go(func() { p.server.Serve(context.Background(), ln) })
	w.onClose(func() { p.server.Close(); serving.Wait() })
	return nil
}

// makeServer says which certificate an agent needs for what it claims.
func (p *controlPlane) makeServer(files *pki) error {
	identity, err := konnectivity.NewIdentity(
		// An agent on a node has the node's certificate and claims the node.
		konnectivity.IdentityRule{
			CommonName: "system:node:*", Group: "system:nodes",
			AgentIDs: []string{"{name}"}, Hosts: []string{"{name}"},
		},
		// A gateway leads to the pods and to whatever only the cluster knows.
		konnectivity.IdentityRule{
			Group: "gateways", AgentIDs: []string{"gateway"}, CIDRs: []string{podCIDR}, DefaultRoute: true,
		},
	)
	if err != nil {
		return err
	}
	cfg, err := files.serverTLS("tunnel", tunnelCA)
	if err != nil {
		return err
	}
	p.server, err = konnectivity.NewServer(konnectivity.ServerConfig{
		ID: "quickstart", TLS: cfg, Identity: identity,
		Trace: &konnectivity.ServerTrace{AgentUp: p.agentUp},
	})
	return err
}

// agentUp is a hook and must not block: an arrival nobody waits for is dropped.
func (p *controlPlane) agentUp(a konnectivity.AgentInfo) {
	select {
	case p.arrived <- a.ID:
	default:
	}
}

// makeEgress gives each class its rule and its route.
func (p *controlPlane) makeEgress(w *world) (err error) {
	t := &w.targets
	tunnel := selector.Route{Name: "tunnel", Dialer: p.server}
	straight := selector.Route{Name: "direct", Dialer: &direct.Dialer{Resolver: w.names, Allow: onlyHere}}
	edge := selector.Class("edge") // a class of our own
	p.egress, err = selector.New(selector.Config{
		Rules: []selector.Rule{
			{Class: selector.Kubelet, Hosts: []string{nodeName}, Ports: []string{t.kubelet.port, t.foreign.port, t.other.port}},
			{Class: selector.Node, Hosts: []string{nodeName}},
			{Class: selector.Pod, CIDRs: []string{podCIDR}},
			{Class: selector.Service, HostSuffixes: []string{".svc.cluster.local"}},
			{Class: selector.Etcd, Hosts: []string{etcdName}},
			{Class: selector.ControlPlane, Hosts: []string{webhookName}},
			{Class: edge, HostSuffixes: []string{".edge"}},
		},
		Routes: map[selector.Class]selector.Route{
			selector.Kubelet: tunnel, selector.Node: tunnel, selector.Pod: tunnel, selector.Service: tunnel,
			selector.Etcd: straight, selector.ControlPlane: straight,
			edge: {Name: "ssh", Dialer: w.edge.pool},
		},
		Trace: w.witness.selectorTrace(),
	})
	return err
}

// onlyHere is the policy of direct dials: they stay beside the control plane.
func onlyHere(_ context.Context, _ string, addr netip.AddrPort) error {
	if addr.Addr() != netip.MustParseAddr(planeIP) {
		return errors.New("not beside the control plane")
	}
	return nil
}

// awaitAgents returns when that many agents have come up.
func (p *controlPlane) awaitAgents(ctx context.Context, n int) error {
	for range n {
		select {
		case <-p.arrived:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d connected: %w", len(p.server.Agents()), n, context.Cause(ctx))
		}
	}
	return nil
}
