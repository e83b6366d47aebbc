package konnectivity

import (
	"crypto/tls"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// optionalTLS is what package transport makes for clients that may come without a
// certificate.
func optionalTLS(t testing.TB, ca *testpki.CA) *tls.Config {
	t.Helper()
	cfg, err := transport.ServerConfig(transport.ServerOptions{
		Certificates: transport.StaticCertificate(ca.MustPair(t, testpki.Leaf{Names: []string{"127.0.0.1"}})),
		ClientRoots:  transport.StaticRoots(ca.Pool()), ClientsOptional: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// The configuration that package transport makes for optional certificates goes
// with Tokens.
func TestOptionalCertificatesGoWithTokens(t *testing.T) {
	leak.Check(t)
	ca := testpki.MustCA(t, "tunnel")
	w := newWorld(t, func(c *ServerConfig) { c.TLS, c.Tokens = optionalTLS(t, ca), tokens{goodToken: edgeUser()} })
	w.ca = ca
	w.run(w.credentials(false, goodToken))
	talk(t, dial(t, w.srv, echo(t)), "hello")
}

// A server that takes tokens alone needs no more than a certificate to present,
// whose files it follows.
func TestTokensAloneReload(t *testing.T) {
	leak.Check(t)
	ca, next := testpki.MustCA(t, "tunnel"), testpki.MustCA(t, "next")
	dir, leaf := t.TempDir(), testpki.Leaf{CommonName: "server", Names: []string{"127.0.0.1"}}
	certFile, keyFile, err := ca.MustIssue(t, leaf).Write(dir, "tunnel")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := transport.NewKeyPair(certFile, keyFile, transport.FileOptions{Recheck: -1})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(c *ServerConfig) {
		c.TLS = &tls.Config{GetCertificate: pair.GetCertificate, MinVersion: tls.VersionTLS13}
		c.Tokens = tokens{goodToken: edgeUser()}
		c.HandshakeTimeout = 5 * time.Second
	})
	w.ca = ca
	_, stop := w.run(w.credentials(false, goodToken))
	talk(t, dial(t, w.srv, echo(t)), "hello")
	stop()
	if _, _, err := next.MustIssue(t, leaf).Write(dir, "tunnel"); err != nil {
		t.Fatal(err)
	}
	w.ca = next
	eventually(t, "the first agent gone", func() bool { return len(w.srv.Agents()) == 0 })
	w.run(w.credentials(false, goodToken))
	talk(t, dial(t, w.srv, echo(t)), "hello")
}
