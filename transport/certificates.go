package transport

import "crypto/tls"

// Certificates hands out the certificate, with its key, that this side presents.
// Implementations are safe for concurrent use. [KeyPair] is one that follows two
// files, [StaticCertificate] one that stays.
type Certificates interface {
	// Certificate returns the certificate of this moment, which the caller must
	// not change. It is asked at every handshake and every HTTP request, so it
	// is quick, and it returns the same pointer until the content changes. Nil
	// means there is none, and fails the handshake that needs it.
	Certificate() *tls.Certificate
}

// StaticCertificate returns Certificates that always hand out cert. One without
// a certificate chain in it hands out none, and the constructors of this package
// refuse it.
func StaticCertificate(cert tls.Certificate) Certificates {
	if len(cert.Certificate) == 0 {
		return staticCertificate{}
	}
	return staticCertificate{cert: &cert}
}

type staticCertificate struct{ cert *tls.Certificate }

func (s staticCertificate) Certificate() *tls.Certificate { return s.cert }

// clientCertificate returns the tls.Config hook that presents what c has at the
// moment of the handshake.
func clientCertificate(c Certificates) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		cert := c.Certificate()
		if cert == nil {
			// The empty certificate would be allowed here and would say
			// "anonymous", which nobody who configured one means.
			return nil, errNoCertificate
		}
		return cert, nil
	}
}

// serverCertificate is clientCertificate for servers.
func serverCertificate(c Certificates) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert := c.Certificate()
		if cert == nil {
			return nil, errNoCertificate
		}
		return cert, nil
	}
}
