package konnectivity

import (
	"crypto/tls"
	"errors"
)

// errNoClientCAs refuses a handshake: a configuration chosen for one client that
// names no authorities would let those of the system in.
var errNoClientCAs = errors.New("konnectivity: GetConfigForClient chose a configuration without ClientCAs, which would mean the system's authorities: set them to the clients' own")

// listenerTLS returns base with the given ALPN values, also in the configurations
// it makes per client, and holds those to having authorities of their own.
func listenerTLS(base *tls.Config, alpn []string) *tls.Config {
	cfg := base.Clone()
	cfg.NextProtos = alpn
	perClient := base.GetConfigForClient
	if perClient == nil {
		return cfg
	}
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		c, err := perClient(hello)
		if err != nil {
			return nil, err
		}
		if c == nil {
			c = base // as crypto/tls has it
		}
		if c.ClientCAs == nil && c.ClientAuth >= tls.VerifyClientCertIfGiven {
			return nil, errNoClientCAs
		}
		c = c.Clone()
		c.NextProtos = alpn
		return c, nil
	}
	return cfg
}
