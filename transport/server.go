package transport

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
)

// ServerOptions says what [ServerConfig] makes.
type ServerOptions struct {
	// Certificates presents the server. Required.
	Certificates Certificates
	// ClientRoots verifies the clients, each of which must present a
	// certificate. Required, and not empty.
	ClientRoots Roots
	// ClientsOptional lets clients come without a certificate, for listeners that
	// know them by something else as well, as konnectivity.ServerConfig.Tokens
	// does. A certificate that is presented is verified all the same.
	ClientsOptional bool
	// MinVersion is the lowest TLS version served: tls.VersionTLS12 or
	// tls.VersionTLS13. Zero means the latter.
	MinVersion uint16
	// NextProtos is what ALPN chooses from. Empty means no ALPN.
	NextProtos []string
}

// ServerConfig returns a tls.Config for a listener whose clients must present a
// certificate that ClientRoots verify, unless ClientsOptional. Roots and certificate are those of the
// moment of each handshake. A missing one is an error, and so are empty roots.
//
// Sessions are never resumed: a resumed one would not meet the roots that were
// changed since. Layers above that add protocols to the returned Config, as
// http.Server does, add in vain, because each handshake has a Config of its own:
// all protocols go into NextProtos. The caller owns the Config.
func ServerConfig(opts ServerOptions) (*tls.Config, error) {
	if err := checkRoots(opts.ClientRoots, "ServerOptions.ClientRoots", ": every client is verified"); err != nil {
		return nil, err
	}
	if opts.Certificates == nil || opts.Certificates.Certificate() == nil {
		return nil, errors.New("transport: ServerOptions.Certificates is required")
	}
	min, err := minVersion(opts.MinVersion, tls.VersionTLS13)
	if err != nil {
		return nil, err
	}
	template := &tls.Config{
		GetCertificate: serverCertificate(opts.Certificates),
		ClientAuth:     tls.RequireAndVerifyClientCert,
		// Trusting nobody: whoever copies the Config without its hook gets a
		// listener that refuses, not one with the roots of the system.
		ClientCAs:              x509.NewCertPool(),
		MinVersion:             min,
		NextProtos:             slices.Clone(opts.NextProtos),
		SessionTicketsDisabled: true,
	}
	if opts.ClientsOptional {
		template.ClientAuth = tls.VerifyClientCertIfGiven
	}
	config := template.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		c := template.Clone()
		c.ClientCAs = poolOf(opts.ClientRoots)
		return c, nil
	}
	return config, nil
}

// minVersion returns version, or fallback for zero. Versions with known breaks
// are refused rather than raised.
func minVersion(version, fallback uint16) (uint16, error) {
	switch version {
	case 0:
		return fallback, nil
	case tls.VersionTLS12, tls.VersionTLS13:
		return version, nil
	}
	return 0, fmt.Errorf("transport: MinVersion %s is not supported: TLS 1.2 or 1.3", tls.VersionName(version))
}
