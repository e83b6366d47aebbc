package server

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testpki"
)

// files writes a CA and a pair of it.
func files(t *testing.T) (ca *testpki.CA, caFile, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	ca = testpki.MustCA(t, "ca")
	cert, key, err := ca.MustIssue(t, testpki.Leaf{CommonName: "server", Names: []string{"server.test"}}).Write(dir, "server")
	if err != nil {
		t.Fatal(err)
	}
	caFile = filepath.Join(dir, "ca.crt")
	if err := testpki.WriteFile(caFile, ca.PEM()); err != nil {
		t.Fatal(err)
	}
	return ca, caFile, cert, key
}

func TestCipherSuitesHold(t *testing.T) {
	ca, caFile, cert, key := files(t)
	const only = tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
	o := &Options{CipherSuites: []string{tls.CipherSuiteName(only)}}
	log, _ := logged()
	conf, err := o.tlsConfig("cluster", cert, key, caFile, log)
	if err != nil {
		t.Fatal(err)
	}
	client := &tls.Config{
		RootCAs: ca.Pool(), ServerName: "server.test", MaxVersion: tls.VersionTLS12,
		Certificates: []tls.Certificate{ca.MustPair(t, testpki.Leaf{CommonName: "client"})},
	}
	if state := handshake(t, conf, client); state.CipherSuite != only {
		t.Errorf("%s was chosen, want %s", tls.CipherSuiteName(state.CipherSuite), tls.CipherSuiteName(only))
	}
}

func handshake(t *testing.T, server, client *tls.Config) tls.ConnectionState {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	s, c := tls.Server(a, server), tls.Client(b, client)
	done := make(chan error, 1)
	go func() { done <- s.HandshakeContext(context.Background()) }()
	if err := c.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState()
}

func TestTLSFilesThatAreWrong(t *testing.T) {
	_, caFile, cert, key := files(t)
	log, out := logged()
	for want, args := range map[string][3]string{
		"--cluster-cert":    {key, key, caFile},
		"--cluster-ca-cert": {cert, key, key},
	} {
		if _, err := (&Options{}).tlsConfig("cluster", args[0], args[1], args[2], log); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want an error with %s", err, want)
		}
	}
	if _, err := (&Options{TLSMinVersion: "VersionTLS10"}).tlsConfig("cluster", cert, key, caFile, log); err != nil {
		t.Error(err)
	}
	if !strings.Contains(out.String(), "--tls-min-version") {
		t.Errorf("nothing is said of a version that was raised: %s", out)
	}
}
