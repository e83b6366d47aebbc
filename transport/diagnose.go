package transport

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

var errNoCertificate = errors.New("transport: no certificate to present")

// diagnose says why a pair did not load, in words of our own: those of crypto
// quote types of blocks, which are content of a file that may be a secret.
func (p *KeyPair) diagnose(certPEM, keyPEM []byte) error {
	atCert := func(text string) error { return &FileError{File: p.certFile, Err: errors.New(text)} }
	atKey := func(text string) error { return &FileError{File: p.keyFile, Err: errors.New(text)} }

	cert := findBlock(certPEM, func(typ string) bool { return typ == "CERTIFICATE" })
	if cert == nil {
		return atCert("holds no certificate")
	}
	if _, err := x509.ParseCertificate(cert.Bytes); err != nil {
		return atCert("holds a malformed certificate")
	}
	key := findBlock(keyPEM, func(typ string) bool { return strings.HasSuffix(typ, "PRIVATE KEY") })
	switch {
	case key == nil:
		return atKey("holds no private key")
	case key.Type == "ENCRYPTED PRIVATE KEY" || key.Headers["DEK-Info"] != "":
		return atKey("holds an encrypted private key, which cannot be used")
	case !isKey(key.Bytes):
		return atKey("holds a malformed private key")
	}
	return &FileError{File: p.certFile, Err: fmt.Errorf("does not belong to the private key in %s", p.keyFile)}
}

// findBlock returns the first PEM block in data of a wanted type, or nil.
func findBlock(data []byte, wanted func(typ string) bool) *pem.Block {
	for {
		block, rest := pem.Decode(data)
		if block == nil || wanted(block.Type) {
			return block
		}
		data = rest
	}
}

func isKey(der []byte) bool {
	if _, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return true
	}
	if _, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return true
	}
	_, err := x509.ParseECPrivateKey(der)
	return err == nil
}
