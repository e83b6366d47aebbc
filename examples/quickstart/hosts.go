package main

import (
	"context"
	"net"
	"net/netip"
)

// The networks. All of 127.0.0.0/8 is this machine, so a part of it stands for
// each network of a cluster.
const (
	planeIP    = "127.0.0.1"
	nodeIP     = "127.0.1.1"
	podIP      = "127.1.0.7"
	serviceIP  = "127.2.0.10"
	edgeIP     = "127.3.0.1"
	podCIDR    = "127.1.0.0/16"
	serviceNet = "127.2.0.0/16"
)

// The names, which no DNS knows.
const (
	nodeName    = "node-1"
	serviceName = "web.shop.svc.cluster.local"
	etcdName    = "etcd-0"
	webhookName = "webhook.control-plane"
	siteName    = "site-1"
	meterName   = "meter.site-1.edge"
	posedName   = "meter.site-2.edge"
	lostName    = "meter.site-3.edge"
)

// hosts is a direct.Resolver that knows names of the above and asks nobody. Agents
// have their own view of names; the control plane need not resolve those of a
// cluster at all.
type hosts map[string]netip.Addr

func newHosts() hosts {
	return hosts{
		nodeName:    netip.MustParseAddr(nodeIP),
		meterName:   netip.MustParseAddr(edgeIP),
		serviceName: netip.MustParseAddr(serviceIP),
		etcdName:    netip.MustParseAddr(planeIP),
		webhookName: netip.MustParseAddr(planeIP),
	}
}

// LookupNetIP implements direct.Resolver.
func (h hosts) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if a, ok := h[host]; ok {
		return []netip.Addr{a}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}
