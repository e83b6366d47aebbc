package sshtunnel

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/streamconn"
)

// target is what a channel is opened to.
type target struct {
	channel string // its type
	payload []byte // what the type adds to the request
	addr    net.Addr
}

// The types of channels, of RFC 4254 and of OpenSSH.
const (
	channelTCP  = "direct-tcpip"
	channelUnix = "direct-streamlocal@openssh.com"
)

func (t target) isUnix() bool { return t.channel == channelUnix }

// newTarget checks the arguments of a dial.
func newTarget(network, address string) (target, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
		return tcpTarget(network, address)
	case "unix":
		return unixTarget(address)
	}
	return target{}, net.UnknownNetworkError(network)
}

// tcpTarget is of RFC 4254, section 7.2.
func tcpTarget(network, address string) (target, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return target{}, err
	}
	if host == "" {
		return target{}, &net.AddrError{Err: "missing host in address", Addr: address}
	}
	port, err := net.DefaultResolver.LookupPort(context.Background(), "tcp", service) // looks at files alone
	if err != nil {
		return target{}, err
	}
	if port == 0 {
		return target{}, &net.AddrError{Err: "port 0 in address", Addr: address}
	}
	if err := checkFamily(network, host); err != nil {
		return target{}, err
	}
	payload := ssh.Marshal(struct {
		Host           string
		Port           uint32
		Originator     string
		OriginatorPort uint32
	}{host, uint32(port), "127.0.0.1", 0})
	return target{channel: channelTCP, payload: payload, addr: streamconn.Addr("tcp", address)}, nil
}

// checkFamily refuses what SSH cannot ask for: it has no word for the family of
// the address that a name resolves to.
func checkFamily(network, host string) error {
	if network == "tcp" {
		return nil
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return &net.AddrError{Err: "the server resolves names and cannot be asked for " + network, Addr: host}
	case ip.Unmap().Is4() != (network == "tcp4"):
		return &net.AddrError{Err: "not an address of " + network, Addr: host}
	}
	return nil
}

// unixTarget is of OpenSSH's PROTOCOL, section 2.4.
func unixTarget(path string) (target, error) {
	if !strings.HasPrefix(path, "/") || strings.ContainsRune(path, 0) {
		return target{}, &net.AddrError{Err: "want the absolute path of a socket", Addr: path}
	}
	payload := ssh.Marshal(struct {
		Path      string
		Reserved  string
		Reserved2 uint32
	}{Path: path})
	return target{
		channel: channelUnix, payload: payload,
		addr: &net.UnixAddr{Net: "unix", Name: path},
	}, nil
}
