package transport

import (
	"crypto/tls"
	"fmt"

	"github.com/sallyport/sallyport/internal/reload"
)

// KeyPair is a certificate with its key that follows its two files. It
// implements [Certificates] and has the hooks of a [tls.Config], for servers and
// for clients. It starts no goroutine and needs no Close, and is safe for
// concurrent use.
//
// The files may be replaced in any way and one after the other: until both
// belong together, the last good pair stays. An expired certificate is taken;
// whoever verifies it refuses it.
type KeyPair struct {
	certFile string
	keyFile  string
	pair     *reload.Value[*tls.Certificate]
}

// NewKeyPair reads a PEM certificate chain, leaf first, and its unencrypted
// private key. Both may be in one file, named twice. Text between the blocks is
// skipped, as crypto/tls does; each file may have at most 1 MiB. The error names
// the file that cannot be used.
func NewKeyPair(certFile, keyFile string, opts FileOptions) (*KeyPair, error) {
	p := &KeyPair{certFile: certFile, keyFile: keyFile}
	pair, err := reload.New([]string{certFile, keyFile}, maxPair, p.parse, opts)
	if err != nil {
		return nil, fmt.Errorf("transport: key pair %w", err)
	}
	p.pair = pair
	return p, nil
}

// Certificate returns the pair in the files, as of at most
// [FileOptions.Recheck] ago.
func (p *KeyPair) Certificate() *tls.Certificate {
	if p == nil {
		return nil // a nil *KeyPair in a Certificates is refused at construction
	}
	return p.pair.Get()
}

// GetCertificate is the hook of that name in a server's [tls.Config].
func (p *KeyPair) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return serverCertificate(p)(nil)
}

// GetClientCertificate is the hook of that name in a client's [tls.Config].
func (p *KeyPair) GetClientCertificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return clientCertificate(p)(nil)
}

func (p *KeyPair) parse(data [][]byte) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(data[0], data[1])
	if err != nil {
		return nil, p.diagnose(data[0], data[1])
	}
	return &cert, nil
}
