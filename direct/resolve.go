package direct

import (
	"context"
	"net"
	"net/netip"
	"strconv"
)

// resolve returns the host of address and every ip and port it stands for, in
// the order to try them. There is at least one. It looks a name up once.
func (d *Dialer) resolve(ctx context.Context, network, address string) (string, []netip.AddrPort, error) {
	fam, ok := familyOf(network)
	if !ok {
		return "", nil, net.UnknownNetworkError(network)
	}
	if err := ctx.Err(); err != nil {
		return "", nil, err
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", nil, err
	}
	port, err := lookupPort(ctx, network, service)
	if err != nil {
		return "", nil, err
	}
	ips, err := d.lookup(ctx, fam, host)
	if err != nil {
		return "", nil, err
	}
	var addrs []netip.AddrPort
	for _, ip := range ips {
		if fam.has(ip) {
			addrs = append(addrs, netip.AddrPortFrom(ip, port))
		}
	}
	if len(addrs) == 0 {
		return "", nil, &net.AddrError{Err: "no suitable address for " + network, Addr: host}
	}
	return host, addrs, nil
}

// lookup returns the addresses of host.
func (d *Dialer) lookup(ctx context.Context, fam family, host string) ([]netip.Addr, error) {
	if host == "" {
		return []netip.Addr{fam.unspecified}, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	ips, err := d.ask(ctx, fam.lookup, host)
	if err != nil {
		return nil, err
	}
	if len(ips) == 0 {
		return nil, &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	// Package net hands out IPv4 addresses in either form; a policy should not
	// have to know that.
	plain := make([]netip.Addr, len(ips))
	for i, ip := range ips {
		plain[i] = ip.Unmap()
	}
	return plain, nil
}

// ask puts the question to the Resolver.
func (d *Dialer) ask(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if d.Resolver == nil {
		return net.DefaultResolver.LookupNetIP(ctx, network, host)
	}
	type answer struct {
		ips []netip.Addr
		err error
	}
	// A Resolver of somebody else's may not look at ctx, and the dial must end
	// on time all the same.
	answers := make(chan answer, 1)
	go func() {
		ips, err := d.Resolver.LookupNetIP(ctx, network, host)
		answers <- answer{ips, err}
	}()
	select {
	case a := <-answers:
		return a.ips, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// lookupPort returns the number of a port or of a named service.
func lookupPort(ctx context.Context, network, service string) (uint16, error) {
	port, err := strconv.Atoi(service)
	if err != nil && service != "" {
		port, err = net.DefaultResolver.LookupPort(ctx, network, service)
		if err != nil {
			return 0, err
		}
	}
	if port < 1 || port > 65535 {
		return 0, &net.AddrError{Err: "invalid port", Addr: service}
	}
	return uint16(port), nil
}

// family is what a network's name says about addresses.
type family struct {
	lookup      string // for Resolver
	unspecified netip.Addr
	has         func(netip.Addr) bool
}

func familyOf(network string) (f family, ok bool) {
	switch network {
	case "tcp":
		return family{"ip", netip.IPv4Unspecified(), netip.Addr.IsValid}, true
	case "tcp4":
		return family{"ip4", netip.IPv4Unspecified(), isIPv4}, true
	case "tcp6":
		return family{"ip6", netip.IPv6Unspecified(), isIPv6}, true
	}
	return family{}, false
}

// isIPv4 counts mapped addresses in, for package net dials them over IPv4.
func isIPv4(ip netip.Addr) bool { return ip.Unmap().Is4() }

func isIPv6(ip netip.Addr) bool { return ip.Unmap().Is6() }
