package transport_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

func TestServerConfigErrors(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	good := transport.ServerOptions{
		Certificates: transport.StaticCertificate(ca.MustPair(t, testpki.Leaf{})),
		ClientRoots:  transport.StaticRoots(ca.Pool()),
	}
	for name, spoil := range map[string]func(*transport.ServerOptions){
		"no certificate":    func(o *transport.ServerOptions) { o.Certificates = nil },
		"empty certificate": func(o *transport.ServerOptions) { o.Certificates = transport.StaticCertificate(tls.Certificate{}) },
		"no roots":          func(o *transport.ServerOptions) { o.ClientRoots = nil },
		"nil pool":          func(o *transport.ServerOptions) { o.ClientRoots = transport.StaticRoots(nil) },
		"empty pool":        func(o *transport.ServerOptions) { o.ClientRoots = transport.StaticRoots(x509.NewCertPool()) },
		"TLS version 1.0":   func(o *transport.ServerOptions) { o.MinVersion = tls.VersionTLS10 },
	} {
		opts := good
		spoil(&opts)
		if c, err := transport.ServerConfig(opts); err == nil || c != nil {
			t.Errorf("%s: no construction error", name)
		}
	}
}

// use dials addr with cfg and uses the connection once.
func use(addr string, cfg *tls.Config) (tls.ConnectionState, error) {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", addr, cfg)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer c.Close()
	return c.ConnectionState(), tryEcho(c)
}

func TestServerConfigRotates(t *testing.T) {
	leak.Check(t)
	serverCA, a, b := testpki.MustCA(t, "server"), testpki.MustCA(t, "a"), testpki.MustCA(t, "b")
	dir, clk := t.TempDir(), newClock()
	opts := transport.FileOptions{Now: clk.Now}
	caFile := filepath.Join(dir, "clients.crt")
	write(t, caFile, a.PEM())
	certFile, keyFile, err := serverCA.MustIssue(t, testpki.Leaf{CommonName: "first", Names: []string{"server"}}).Write(dir, "server")
	if err != nil {
		t.Fatal(err)
	}
	roots, err := transport.NewCAFile(caFile, opts)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := transport.NewKeyPair(certFile, keyFile, opts)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := transport.ServerConfig(transport.ServerOptions{
		Certificates: pair, ClientRoots: roots, NextProtos: []string{"sallyport/1", "h2"},
	})
	if err != nil {
		t.Fatal(err)
	}
	addr := echoServer(t, cfg)

	client := func(ca *testpki.CA) *tls.Config {
		c := &tls.Config{RootCAs: serverCA.Pool(), ServerName: "server", NextProtos: []string{"h2"}, ClientSessionCache: tls.NewLRUClientSessionCache(0)}
		if ca != nil {
			c.Certificates = []tls.Certificate{ca.MustPair(t, testpki.Leaf{CommonName: "client"})}
		}
		return c
	}
	ofA, ofB := client(a), client(b)
	for range 2 {
		state, err := use(addr, ofA)
		if err != nil {
			t.Fatalf("a client of the trusted authority: %v", err)
		}
		if state.DidResume || state.NegotiatedProtocol != "h2" || state.PeerCertificates[0].Subject.CommonName != "first" {
			t.Errorf("resumed %v, protocol %q, certificate %v", state.DidResume, state.NegotiatedProtocol, state.PeerCertificates[0].Subject)
		}
	}
	if _, err := use(addr, ofB); err == nil {
		t.Error("a client of another authority was served")
	}
	if _, err := use(addr, client(nil)); err == nil {
		t.Error("a client without a certificate was served")
	}
	old := client(a)
	old.MaxVersion = tls.VersionTLS12
	if _, err := use(addr, old); err == nil {
		t.Error("TLS 1.2 was served by default")
	}

	write(t, caFile, b.PEM())
	second := serverCA.MustIssue(t, testpki.Leaf{CommonName: "second", Names: []string{"server"}})
	write(t, certFile, second.Cert)
	write(t, keyFile, second.Key)
	clk.Tick()
	if _, err := use(addr, ofA); err == nil {
		t.Error("a client of the authority that was taken away was served, by a kept session or otherwise")
	}
	state, err := use(addr, ofB)
	if err != nil {
		t.Fatalf("a client of the new authority: %v", err)
	}
	if name := state.PeerCertificates[0].Subject.CommonName; name != "second" {
		t.Errorf("the server presented %q, want second", name)
	}
}

func TestServerConfigVersion(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	pair := ca.MustPair(t, testpki.Leaf{Names: []string{"server"}})
	cfg, err := transport.ServerConfig(transport.ServerOptions{
		Certificates: transport.StaticCertificate(pair), ClientRoots: transport.StaticRoots(ca.Pool()),
		MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	client := &tls.Config{
		RootCAs: ca.Pool(), ServerName: "server", Certificates: []tls.Certificate{pair},
		MaxVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(0),
	}
	addr := echoServer(t, cfg)
	for range 2 {
		if state, err := use(addr, client); err != nil || state.DidResume {
			t.Errorf("TLS 1.2: resumed %v, %v", state.DidResume, err)
		}
	}

	// A copy that lost its hook trusts nobody.
	bare := cfg.Clone()
	bare.GetConfigForClient = nil
	client.ClientSessionCache = nil
	if _, err := use(echoServer(t, bare), client); err == nil {
		t.Error("the configuration without its hook serves")
	}
}

// A client may come without a certificate, and one that is presented counts.
func TestServerConfigClientsOptional(t *testing.T) {
	ca, foreign := testpki.MustCA(t, "ca"), testpki.MustCA(t, "foreign")
	cfg, err := transport.ServerConfig(transport.ServerOptions{
		Certificates: transport.StaticCertificate(ca.MustPair(t, testpki.Leaf{Names: []string{"server"}})),
		ClientRoots:  transport.StaticRoots(ca.Pool()), ClientsOptional: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	addr := echoServer(t, cfg)
	client := func(of *testpki.CA) *tls.Config {
		c := &tls.Config{RootCAs: ca.Pool(), ServerName: "server"}
		if of != nil {
			pair := of.MustPair(t, testpki.Leaf{CommonName: "client"})
			// Whether or not the server would want it.
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		return c
	}
	if _, err := use(addr, client(nil)); err != nil {
		t.Errorf("without a certificate: %v", err)
	}
	if _, err := use(addr, client(ca)); err != nil {
		t.Errorf("with a good one: %v", err)
	}
	if _, err := use(addr, client(foreign)); err == nil {
		t.Error("a certificate of another authority was taken for none")
	}
}
