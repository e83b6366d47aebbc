package transport

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
)

// target is who must answer a dial, known before it starts.
type target struct {
	host string // of the logical address, as the hooks of Config get it
	name string // what the certificate must be valid for
}

// target works out who must answer at the logical address.
func (d *Dialer) target(address string) (target, error) {
	if strings.Contains(address, "://") {
		return target{}, errors.New("want host:port, not a URL")
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return target{}, err
	}
	// The zone of a link-local address is a matter of this machine; no
	// certificate has it.
	host, _, _ = strings.Cut(host, "%")
	name, err := d.serverName(host)
	if err != nil {
		return target{}, err
	}
	return target{host: host, name: name}, nil
}

func (d *Dialer) serverName(host string) (string, error) {
	name := host
	if d.cfg.ServerName != nil {
		name = d.cfg.ServerName(host)
	}
	if name == "" {
		return "", fmt.Errorf("no server name to verify for host %q", host)
	}
	return name, nil
}

// ClientConfig returns a tls.Config for one handshake with the logical address:
// the roots of this moment, the name and the node that must answer, and the
// client certificate of the moment of the handshake. It is for layers that run
// the handshake themselves; ask for a new one each time, because the roots in it
// do not change. The caller owns it. The error is that of an address without a
// host, or without a name to verify, or of a Dialer that New has not made.
func (d *Dialer) ClientConfig(address string) (*tls.Config, error) {
	if !d.made() {
		return nil, errNotMade
	}
	t, err := d.target(address)
	if err != nil {
		return nil, fmt.Errorf("transport: address %q: %w", address, err)
	}
	return d.config(t, d.cfg.NextProtos), nil
}

// config is the configuration of a handshake with t.
func (d *Dialer) config(t target, protos []string) *tls.Config {
	c := d.base(protos)
	c.ServerName = t.name
	if d.cfg.NodeName != nil {
		c.VerifyConnection = func(cs tls.ConnectionState) error { return d.verifyNode(t.host, cs) }
	}
	return c
}

// base is the configuration of a handshake with nobody in particular. It has no
// session cache: each handshake verifies from the start, under its own roots.
func (d *Dialer) base(protos []string) *tls.Config {
	c := &tls.Config{
		RootCAs:    poolOf(d.cfg.Roots),
		MinVersion: d.cfg.MinVersion,
		NextProtos: slices.Clone(protos),
	}
	if d.cfg.Certificates != nil {
		c.GetClientCertificate = clientCertificate(d.cfg.Certificates)
	}
	return c
}

// openConfig is the configuration for a caller that fills in the name of the
// host it dials and nothing else. What Config demands beyond that name is
// demanded when the peer has shown its certificate.
func (d *Dialer) openConfig(protos []string) *tls.Config {
	c := d.base(protos)
	if d.cfg.NodeName != nil || d.cfg.ServerName != nil {
		c.VerifyConnection = d.verifyOpen
	}
	return c
}

// verifyOpen applies the rules of Config to a peer whose certificate has been
// verified for the host that was dialed.
func (d *Dialer) verifyOpen(cs tls.ConnectionState) error {
	hosts, err := dialedHosts(cs)
	if err != nil {
		return err
	}
	for _, host := range hosts {
		name, err := d.serverName(host)
		if err != nil {
			return err
		}
		if err := cs.PeerCertificates[0].VerifyHostname(name); err != nil {
			return err
		}
		if d.cfg.NodeName == nil {
			continue
		}
		if err := d.verifyNode(host, cs); err != nil {
			return err
		}
	}
	return nil
}

// dialedHosts returns hosts one of which was dialed. TLS does not tell which IP
// address it verified the peer for, only that it is one of those in the peer's
// certificate; a rule that holds for all of them holds for that one.
func dialedHosts(cs tls.ConnectionState) ([]string, error) {
	if len(cs.PeerCertificates) == 0 {
		return nil, errors.New("the peer presented no certificate")
	}
	if cs.ServerName != "" {
		return []string{cs.ServerName}, nil
	}
	var hosts []string
	for _, ip := range cs.PeerCertificates[0].IPAddresses {
		hosts = append(hosts, ip.String())
	}
	if len(hosts) == 0 {
		return nil, errors.New("the peer's certificate has no IP address to tell it by")
	}
	return hosts, nil
}
