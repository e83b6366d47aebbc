package transport_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

func TestNewErrors(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	good := transport.Config{Dialer: new(net.Dialer), Roots: transport.StaticRoots(ca.Pool())}
	if _, err := transport.New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*transport.Config){
		"no dialer":          func(c *transport.Config) { c.Dialer = nil },
		"no roots":           func(c *transport.Config) { c.Roots = nil },
		"nil pool":           func(c *transport.Config) { c.Roots = transport.StaticRoots(nil) },
		"empty pool":         func(c *transport.Config) { c.Roots = transport.StaticRoots(x509.NewCertPool()) },
		"nil func":           func(c *transport.Config) { c.Dialer = dialer.Func(nil) },
		"nil pointer":        func(c *transport.Config) { c.Dialer = (*net.Dialer)(nil) },
		"nil CAFile":         func(c *transport.Config) { c.Roots = (*transport.CAFile)(nil) },
		"nil KeyPair":        func(c *transport.Config) { c.Certificates = (*transport.KeyPair)(nil) },
		"empty certificate":  func(c *transport.Config) { c.Certificates = transport.StaticCertificate(tls.Certificate{}) },
		"TLS version 1.1":    func(c *transport.Config) { c.MinVersion = tls.VersionTLS11 },
		"unknown TLS number": func(c *transport.Config) { c.MinVersion = 0x0399 },
	} {
		cfg := good
		spoil(&cfg)
		if d, err := transport.New(cfg); err == nil || d != nil {
			t.Errorf("%s: no construction error", name)
		}
	}
}

// A Dialer that New has not made fails; it neither panics nor dials unverified.
func TestDialerNotMade(t *testing.T) {
	for name, d := range map[string]*transport.Dialer{"nil": nil, "zero": {}} {
		if err := refused(t, d, "node-1:1", dialer.HopTLS); !strings.Contains(err.Error(), "not made by New") {
			t.Errorf("%s: %v does not say what is wrong", name, err)
		}
		if d.Ready() == nil {
			t.Errorf("%s: is ready", name)
		}
		if got, want := d.Describe(t.Context(), "tcp", "a:1"), (dialer.Attempt{Network: "tcp", Address: "a:1"}); got != want {
			t.Errorf("%s: Describe = %+v", name, got)
		}
		if _, err := d.ClientConfig("node-1:1"); err == nil {
			t.Errorf("%s: gave a configuration", name)
		}
		if _, err := transport.NewRoundTripper(d, transport.HTTPConfig{}); err == nil {
			t.Errorf("%s: gave a RoundTripper", name)
		}
	}
}

// The texts are read by people: the hop says "tls", and once is enough.
func TestDialErrorText(t *testing.T) {
	ca, other := testpki.MustCA(t, "ca"), testpki.MustCA(t, "other")
	addr := echoServer(t, &tls.Config{Certificates: []tls.Certificate{other.MustPair(t, testpki.Leaf{Names: []string{"node-1"}})}})
	old := echoServer(t, &tls.Config{
		Certificates: []tls.Certificate{ca.MustPair(t, testpki.Leaf{Names: []string{"node-1"}})},
		MaxVersion:   tls.VersionTLS12, MinVersion: tls.VersionTLS12,
	})
	cfg := transport.Config{Roots: transport.StaticRoots(ca.Pool()), MinVersion: tls.VersionTLS13}
	for _, tt := range []struct{ server, dial, want string }{
		{addr, "node-1:1", "dial tcp node-1:1: tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		{old, "node-1:1", "dial tcp node-1:1: tls: remote error: protocol version not supported"},
		{addr, "https://node-1:1", "dial tcp https://node-1:1: tls: want host:port, not a URL"},
	} {
		cfg.Address = toAddress(tt.server)
		if err := refused(t, mustDialer(t, cfg), tt.dial, dialer.HopTLS); !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("got %q, want %q", err, tt.want)
		}
	}
}

func TestDialVerifies(t *testing.T) {
	leak.Check(t)
	ca, other := testpki.MustCA(t, "ca"), testpki.MustCA(t, "ca")
	past := time.Now().Add(-time.Minute)
	server := func(ca *testpki.CA, l testpki.Leaf) string {
		return echoServer(t, &tls.Config{Certificates: []tls.Certificate{ca.MustPair(t, l)}})
	}
	valid := server(ca, testpki.Leaf{Names: []string{"node-1", "127.0.0.1", "fd00::7"}})

	for _, tc := range []struct {
		name, dial, server string
		wrong              any // pointer to the type of the cause, nil for success
	}{
		{"name", "node-1:10250", valid, nil},
		{"name in other letters", "Node-1.:10250", valid, nil},
		{"IPv4 address", "127.0.0.1:10250", valid, nil},
		{"IPv6 address", "[fd00::7]:10250", valid, nil},
		{"IPv6 address with a zone", "[fd00::7%eth0]:10250", valid, nil},
		{"wrong name", "node-2:10250", valid, new(x509.HostnameError)},
		{"wrong IPv4 address", "127.0.0.2:10250", valid, new(x509.HostnameError)},
		{"wrong IPv6 address", "[fd00::8]:10250", valid, new(x509.HostnameError)},
		{"wrong authority of the same name", "node-1:10250", server(other, testpki.Leaf{Names: []string{"node-1"}}), new(x509.UnknownAuthorityError)},
		{"expired", "node-1:10250", server(ca, testpki.Leaf{Names: []string{"node-1"}, NotAfter: past}), new(x509.CertificateInvalidError)},
		{"not a server's", "node-1:10250", server(ca, testpki.Leaf{Names: []string{"node-1"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}), new(x509.CertificateInvalidError)},
		{"common name only", "node-1:10250", server(ca, testpki.Leaf{CommonName: "node-1"}), new(x509.HostnameError)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := mustDialer(t, transport.Config{Roots: transport.StaticRoots(ca.Pool()), Address: toAddress(tc.server)})
			if tc.wrong == nil {
				dialEcho(t, d, tc.dial)
				return
			}
			err := refused(t, d, tc.dial, dialer.HopTLS)
			if !errors.As(err, tc.wrong) {
				t.Errorf("got %v, want a %T", err, tc.wrong)
			}
		})
	}
}

func TestDialMapsAddressNotName(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	// The certificate is good for the address that is dialed, which is not the
	// one that was asked for.
	addr := echoServer(t, &tls.Config{Certificates: []tls.Certificate{ca.MustPair(t, testpki.Leaf{Names: []string{"127.0.0.1"}})}})
	cfg := transport.Config{Roots: transport.StaticRoots(ca.Pool()), Address: toAddress(addr)}
	refused(t, mustDialer(t, cfg), "node-1:10250", dialer.HopTLS)

	var asked string
	cfg.ServerName = func(host string) string { asked = host; return "127.0.0.1" }
	dialEcho(t, mustDialer(t, cfg), "node-1:10250")
	if asked != "node-1" {
		t.Errorf("ServerName was asked for %q, want node-1", asked)
	}
	cfg.ServerName = func(string) string { return "" }
	refused(t, mustDialer(t, cfg), "node-1:10250", dialer.HopTLS)
}

func TestDialErrorsKeepTheirHop(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	cfg := transport.Config{Roots: transport.StaticRoots(ca.Pool())}

	inner := &dialer.Error{Hop: "agent edge-1", Err: dialer.ErrRefused}
	cfg.Dialer = dialer.Func(func(context.Context, string, string) (net.Conn, error) { return nil, inner })
	if err := refused(t, mustDialer(t, cfg), "node-1:1", dialer.HopAgent); err != error(inner) {
		t.Errorf("the underlying error was changed: %v", err)
	}
	cfg.Dialer = dialer.Func(func(context.Context, string, string) (net.Conn, error) { return nil, dialer.ErrRefused })
	if err := refused(t, mustDialer(t, cfg), "node-1:1", dialer.HopTarget); dialer.KindOf(err) != dialer.Refused {
		t.Errorf("kind %v, want refused", dialer.KindOf(err))
	}
	cfg.Address = func(context.Context, string) (string, error) { return "", errors.New("no such node") }
	refused(t, mustDialer(t, cfg), "node-1:1", dialer.HopResolve)
	for _, bad := range []string{"node-1", ":10250", ""} {
		refused(t, mustDialer(t, cfg), bad, dialer.HopTLS)
	}
}

func TestDialPresentsCurrentCertificate(t *testing.T) {
	leak.Check(t)
	ca := testpki.MustCA(t, "ca")
	seen := make(chan string, 1)
	addr := echoServer(t, &tls.Config{
		Certificates: []tls.Certificate{ca.MustPair(t, testpki.Leaf{Names: []string{"node-1"}})},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: ca.Pool(),
		VerifyConnection: func(cs tls.ConnectionState) error {
			seen <- cs.PeerCertificates[0].Subject.CommonName
			return nil
		},
	})
	p, cert, key, _, _, clk, _ := pairFiles(t)
	first, second := ca.MustIssue(t, testpki.Leaf{CommonName: "first"}), ca.MustIssue(t, testpki.Leaf{CommonName: "second"})
	dial := func(p testpki.PEM, d *transport.Dialer) net.Conn {
		write(t, cert, p.Cert)
		write(t, key, p.Key)
		clk.Tick()
		c, err := d.DialContext(t.Context(), "tcp", "node-1:10250")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		echo(t, c)
		return c
	}
	cfg := transport.Config{Roots: transport.StaticRoots(ca.Pool()), Address: toAddress(addr), Certificates: p}
	d := mustDialer(t, cfg)
	c := dial(first, d)
	if name := <-seen; name != "first" {
		t.Errorf("presented %q, want first", name)
	}
	dial(second, d)
	if name := <-seen; name != "second" {
		t.Errorf("presented %q after the rotation, want second", name)
	}
	echo(t, c) // the connection of before lives on

	// Without a certificate the refusal arrives with TLS 1.3 at the first read.
	cfg.Certificates = nil
	anonymous, err := mustDialer(t, cfg).DialContext(t.Context(), "tcp", "node-1:10250")
	if err != nil {
		t.Fatal(err)
	}
	defer anonymous.Close()
	if err := tryEcho(anonymous); err == nil {
		t.Error("a server that demands a certificate served without one")
	}
}

func TestDialVersionsAndProtocols(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	pair := ca.MustPair(t, testpki.Leaf{Names: []string{"node-1"}})
	cfg := transport.Config{Roots: transport.StaticRoots(ca.Pool()), NextProtos: []string{"b", "c"}}
	for _, tc := range []struct {
		serverMax, clientMin uint16
		ok                   bool
	}{
		{tls.VersionTLS11, 0, false},
		{tls.VersionTLS12, 0, true},
		{tls.VersionTLS12, tls.VersionTLS13, false},
		{tls.VersionTLS13, tls.VersionTLS13, true},
	} {
		cfg.MinVersion = tc.clientMin
		cfg.Address = toAddress(echoServer(t, &tls.Config{
			Certificates: []tls.Certificate{pair}, NextProtos: []string{"a", "b"},
			MinVersion: tls.VersionTLS10, MaxVersion: tc.serverMax,
		}))
		c, err := mustDialer(t, cfg).DialContext(t.Context(), "tcp", "node-1:1")
		if ok := err == nil; ok != tc.ok {
			t.Errorf("server up to %x, client from %x: %v", tc.serverMax, tc.clientMin, err)
		}
		if err != nil {
			continue
		}
		state := c.(*tls.Conn).ConnectionState()
		if state.Version != tc.serverMax || state.NegotiatedProtocol != "b" {
			t.Errorf("negotiated %x and %q, want %x and b", state.Version, state.NegotiatedProtocol, tc.serverMax)
		}
		if _, ok := c.(dialer.CloseWriter); !ok {
			t.Error("the conn has no CloseWrite")
		}
		c.Close()
	}
}

type unready struct{ *net.Dialer }

func (unready) Ready() error { return errors.New("no agent") }

func TestReadyAsksBelow(t *testing.T) {
	roots := transport.StaticRoots(testpki.MustCA(t, "ca").Pool())
	if err := dialer.Ready(mustDialer(t, transport.Config{Roots: roots})); err != nil {
		t.Errorf("over a net.Dialer: %v", err)
	}
	err := dialer.Ready(mustDialer(t, transport.Config{Roots: roots, Dialer: unready{new(net.Dialer)}}))
	if err == nil || !strings.Contains(err.Error(), "no agent") {
		t.Errorf("over one that is not ready: %v", err)
	}
}

func TestClientConfig(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	addr := echoServer(t, &tls.Config{Certificates: []tls.Certificate{ca.MustPair(t, node("node-2", "node-1"))}})
	for _, mapped := range []string{"node-1", "node-2"} {
		d := mustDialer(t, transport.Config{
			Roots:      transport.StaticRoots(ca.Pool()),
			ServerName: func(string) string { return "node-1" },
			NodeName:   func(string) string { return mapped },
		})
		cfg, err := d.ClientConfig("10.0.0.5:10250")
		if err != nil {
			t.Fatal(err)
		}
		c, err := tls.Dial("tcp", addr, cfg)
		if ok := err == nil; ok != (mapped == "node-2") {
			t.Errorf("meaning %s: %v", mapped, err)
		}
		if err == nil {
			c.Close()
		}
		if _, err := d.ClientConfig("no-port"); err == nil {
			t.Error("an address without a port gave a configuration")
		}
	}
}
