// Package testpki makes throwaway certificate authorities and certificates for
// tests and examples. Nothing of it is fit for production: keys live in memory
// or in files that a test removes.
package testpki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// CA is a certificate authority.
type CA struct {
	Cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA returns a fresh authority. Two with the same name are strangers.
func NewCA(name string) (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	tmpl := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &CA{Cert: cert, key: key}, err
}

// Leaf says what a certificate is for. The zero value is a certificate that no
// name matches, good for an hour, for clients and servers.
type Leaf struct {
	CommonName string
	Groups     []string // the subject's organizations
	// Names are DNS names, IP addresses and URIs, told apart by their form.
	Names     []string
	NotBefore time.Time // zero: an hour ago
	NotAfter  time.Time // zero: in an hour
	Usages    []x509.ExtKeyUsage
}

// PEM is a certificate with its key, encoded.
type PEM struct{ Cert, Key []byte }

// Issue signs a certificate for l.
func (ca *CA) Issue(l Leaf) (PEM, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return PEM{}, err
	}
	tmpl := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: l.CommonName, Organization: l.Groups},
		NotBefore:    l.NotBefore,
		NotAfter:     l.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  l.Usages,
	}
	if tmpl.NotBefore.IsZero() {
		tmpl.NotBefore = time.Now().Add(-time.Hour)
	}
	if tmpl.NotAfter.IsZero() {
		tmpl.NotAfter = time.Now().Add(time.Hour)
	}
	if tmpl.ExtKeyUsage == nil {
		tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	for _, n := range l.Names {
		addName(tmpl, n)
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.Cert, &key.PublicKey, ca.key)
	if err != nil {
		return PEM{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return PEM{}, err
	}
	return PEM{
		Cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	}, nil
}

func addName(tmpl *x509.Certificate, n string) {
	if ip := net.ParseIP(n); ip != nil {
		tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
	} else if u, err := url.Parse(n); err == nil && u.Scheme != "" && u.Host != "" {
		tmpl.URIs = append(tmpl.URIs, u)
	} else {
		tmpl.DNSNames = append(tmpl.DNSNames, n)
	}
}

// PEM returns the authority's certificate, encoded.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Cert.Raw})
}

// Pool returns a pool that trusts ca alone.
func (ca *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(ca.Cert)
	return p
}

// Pair returns p ready for a tls.Config.
func (p PEM) Pair() (tls.Certificate, error) { return tls.X509KeyPair(p.Cert, p.Key) }

// Write writes p as dir/name.crt and dir/name.key and returns both paths.
func (p PEM) Write(dir, name string) (certFile, keyFile string, err error) {
	certFile, keyFile = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	if err = WriteFile(certFile, p.Cert); err == nil {
		err = WriteFile(keyFile, p.Key)
	}
	return certFile, keyFile, err
}

// WriteFile replaces file with data by an atomic rename.
func WriteFile(file string, data []byte) error {
	tmp := file + ".tmp"
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		panic(fmt.Sprintf("testpki: no randomness: %v", err))
	}
	return n
}
