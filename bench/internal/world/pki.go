package world

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// PKI is a directory with the certificates of a world: ca, server and agent.
type PKI string

// NewPKI makes the certificates in a new temporary directory, which the caller
// removes with Remove.
func NewPKI() (PKI, error) {
	dir, err := os.MkdirTemp("", "sallyport-bench")
	if err != nil {
		return "", err
	}
	p := PKI(dir)
	if err := p.fill(); err != nil {
		return "", errors.Join(err, p.Remove())
	}
	return p, nil
}

// Remove removes the directory.
func (p PKI) Remove() error { return os.RemoveAll(string(p)) }

func (p PKI) fill() error {
	ca, err := testpki.NewCA("bench")
	if err != nil {
		return err
	}
	if err := testpki.WriteFile(p.file("ca.crt"), ca.PEM()); err != nil {
		return err
	}
	for _, name := range []string{"server", "agent"} {
		pair, err := ca.Issue(testpki.Leaf{CommonName: name, Names: []string{"127.0.0.1"}})
		if err != nil {
			return err
		}
		if _, _, err := pair.Write(string(p), name); err != nil {
			return err
		}
	}
	return nil
}

func (p PKI) file(name string) string { return filepath.Join(string(p), name) }

func (p PKI) roots() (*x509.CertPool, error) {
	pem, err := os.ReadFile(p.file("ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", p.file("ca.crt"))
	}
	return pool, nil
}

func (p PKI) pair(name string) (tls.Certificate, error) {
	return tls.LoadX509KeyPair(p.file(name+".crt"), p.file(name+".key"))
}

// serverTLS is that of a server which wants an agent's certificate.
func (p PKI) serverTLS() (*tls.Config, error) {
	roots, err := p.roots()
	if err != nil {
		return nil, err
	}
	pair, err := p.pair("server")
	if err != nil {
		return nil, err
	}
	return transport.ServerConfig(transport.ServerOptions{
		Certificates: transport.StaticCertificate(pair), ClientRoots: transport.StaticRoots(roots),
	})
}

// clientTLS is that of whoever shows the agent's certificate without being one.
func (p PKI) clientTLS() (*tls.Config, error) {
	roots, err := p.roots()
	if err != nil {
		return nil, err
	}
	pair, err := p.pair("agent")
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS13}, nil
}
