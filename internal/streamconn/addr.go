package streamconn

import (
	"net"
	"net/netip"
)

// Addr returns address as a net.Addr: a *net.TCPAddr where it is a literal one,
// so that code which asks for the type finds it, and otherwise a [Name].
func Addr(network, address string) net.Addr {
	if ap, err := netip.ParseAddrPort(address); err == nil && (network == "" || network[:1] == "t") {
		return net.TCPAddrFromAddrPort(ap)
	}
	if network == "" {
		network = "tcp"
	}
	return Name{Net: network, Address: address}
}

// Name is the address of a conn whose far end is known by name only.
type Name struct{ Net, Address string }

// Network returns the network, such as "tcp".
func (n Name) Network() string { return n.Net }

// String returns the address as it was asked for.
func (n Name) String() string { return n.Address }
