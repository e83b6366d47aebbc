package transport

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

var pemBegin = []byte("-----BEGIN ")

// parseBundle parses the certificates of a PEM bundle. It is strict, because
// pem.Decode is not: that one skips what it cannot read, so a bundle damaged in
// the middle would load without the authorities that matter. Errors name a line
// and never what is in it.
func parseBundle(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	rest := data
	for {
		rest = skipBlank(rest)
		if len(rest) == 0 {
			break
		}
		line := 1 + bytes.Count(data[:len(data)-len(rest)], []byte("\n"))
		cert, after, err := nextCertificate(rest)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		certs, rest = append(certs, cert), after
	}
	if len(certs) == 0 {
		return nil, errors.New("holds no certificate")
	}
	return certs, nil
}

// nextCertificate parses the block that data begins with and returns what
// follows it.
func nextCertificate(data []byte) (*x509.Certificate, []byte, error) {
	if !bytes.HasPrefix(data, pemBegin) {
		return nil, nil, errors.New("text between PEM blocks")
	}
	block, rest := pem.Decode(data)
	// Two beginnings in what was consumed: the first block was damaged and
	// Decode went on to another.
	if block == nil || bytes.Count(data[:len(data)-len(rest)], pemBegin) != 1 {
		return nil, nil, errors.New("damaged PEM block")
	}
	switch {
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, nil, errors.New("a private key, which does not belong in a CA bundle")
	case block.Type != "CERTIFICATE" || len(block.Headers) != 0:
		return nil, nil, errors.New("a PEM block that is no plain certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		// The words of package x509 may quote the certificate.
		return nil, nil, errors.New("a malformed certificate")
	}
	return cert, rest, nil
}

// skipBlank returns data from its first line that is neither blank nor a
// comment.
func skipBlank(data []byte) []byte {
	for {
		data = bytes.TrimLeft(data, " \t\r\n")
		if len(data) == 0 || data[0] != '#' {
			return data
		}
		end := bytes.IndexByte(data, '\n')
		if end < 0 {
			return nil
		}
		data = data[end+1:]
	}
}
