package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
)

// clientTLS is what upstream's library needs to reach a front over TCP.
func (w *world) clientTLS() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(w.file("client.crt"), w.file("client.key"))
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(w.file("ca.crt"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("ca.crt holds no certificate")
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, nil
}
