package transport_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// What Kubernetes' upgrade path asks of a transport it does not know.
type (
	wrapper      interface{ WrappedRoundTripper() http.RoundTripper }
	configHolder interface{ TLSClientConfig() *tls.Config }
)

// dialerOf finds the dial of the innermost *http.Transport.
func dialerOf(rt http.RoundTripper) func(context.Context, string, string) (net.Conn, error) {
	switch rt := rt.(type) {
	case *http.Transport:
		return rt.DialContext
	case wrapper:
		return dialerOf(rt.WrappedRoundTripper())
	}
	return nil
}

// configOf finds the outermost TLS configuration.
func configOf(rt http.RoundTripper) *tls.Config {
	switch rt := rt.(type) {
	case *http.Transport:
		return rt.TLSClientConfig
	case configHolder:
		return rt.TLSClientConfig()
	case wrapper:
		return configOf(rt.WrappedRoundTripper())
	}
	return nil
}

// dialUpgrade connects to u the way the upgrade path does, its fall back to no
// verification included.
func dialUpgrade(ctx context.Context, rt http.RoundTripper, u *url.URL) (net.Conn, error) {
	raw, err := dialerOf(rt)(ctx, "tcp", u.Host)
	if err != nil || u.Scheme == "http" {
		return raw, err
	}
	config := configOf(rt)
	if config == nil {
		config = &tls.Config{InsecureSkipVerify: true}
	} else if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = u.Hostname()
	}
	if len(config.NextProtos) == 0 || slices.Contains(config.NextProtos, "http/1.1") {
		config = config.Clone()
		config.NextProtos = []string{"http/1.1"}
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, err
	}
	return c, nil
}

// upgrade dials u, asks for a switch of protocols and sends a word through.
func upgrade(ctx context.Context, rt http.RoundTripper, rawURL string) error {
	u, err := url.Parse(rawURL)
	if err != nil {
		return err
	}
	c, err := dialUpgrade(ctx, rt, u)
	if err != nil {
		return err
	}
	defer c.Close()
	req := &http.Request{Method: http.MethodPost, URL: u, Host: u.Host, Header: upgradeHeader("SPDY/3.1")}
	if err := req.Write(c); err != nil {
		return err
	}
	r := bufio.NewReader(c)
	resp, err := http.ReadResponse(r, req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(resp.Status)
	}
	if _, err := io.WriteString(c, "word"); err != nil {
		return err
	}
	_, err = io.ReadFull(r, make([]byte, 4))
	return err
}

func upgradeHeader(protocol string) http.Header {
	return http.Header{"Connection": {"Upgrade"}, "Upgrade": {protocol}}
}

// foreign wraps a RoundTripper as layers of client-go do.
type foreign struct{ http.RoundTripper }

func (f foreign) WrappedRoundTripper() http.RoundTripper { return f.RoundTripper }

func TestUpgradeVerifies(t *testing.T) {
	leak.Check(t)
	ca, other := testpki.MustCA(t, "ca"), testpki.MustCA(t, "other")
	lookup := func(host string) string {
		return map[string]string{"node-1": "node-1", "10.0.0.5": "node-1", "fd00::5": "node-1", "10.0.0.6": "node-2"}[host]
	}
	for _, tc := range []struct {
		name, url  string
		pair       tls.Certificate
		serverName func(string) string
		ok         bool
	}{
		{"right", "https://node-1:10250/exec", nodePair(t, ca, "node-1", "node-1"), nil, true},
		{"wrong CA", "https://node-1:10250/exec", nodePair(t, other, "node-1", "node-1"), nil, false},
		{"wrong name", "https://node-1:10250/exec", nodePair(t, ca, "node-1", "node-3"), nil, false},
		{"wrong node", "https://node-1:10250/exec", nodePair(t, ca, "node-2", "node-1"), nil, false},
		{"right by address", "https://10.0.0.5:10250/exec", nodePair(t, ca, "node-1", "10.0.0.5", "fd00::5"), nil, true},
		{"right by IPv6 address", "https://[fd00::5]:10250/exec", nodePair(t, ca, "node-1", "10.0.0.5", "fd00::5"), nil, true},
		{"wrong node by address", "https://10.0.0.5:10250/exec", nodePair(t, ca, "node-2", "10.0.0.5"), nil, false},
		{"own and another's address", "https://10.0.0.5:10250/exec", nodePair(t, ca, "node-2", "10.0.0.6", "10.0.0.5"), nil, false},
		{"wrong address", "https://10.0.0.6:10250/exec", nodePair(t, ca, "node-1", "10.0.0.5"), nil, false},
		{"override that holds", "https://node-1:10250/exec", nodePair(t, ca, "node-1", "node-1", "kubelet"), func(string) string { return "kubelet" }, true},
		{"override that does not", "https://node-1:10250/exec", nodePair(t, ca, "node-1", "node-1"), func(string) string { return "kubelet" }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := startKubelet(t, tc.pair, "h2", "http/1.1")
			rt := roundTripper(t, transport.Config{
				Roots: transport.StaticRoots(ca.Pool()), Address: toAddress(k.addr),
				NodeName: lookup, ServerName: tc.serverName,
			}, transport.HTTPConfig{})
			for how, as := range map[string]http.RoundTripper{"itself": rt, "wrapped": foreign{rt}, "unwrapped": rt.WrappedRoundTripper()} {
				if err := upgrade(t.Context(), as, tc.url); (err == nil) != tc.ok {
					t.Errorf("%s: %v", how, err)
				}
			}
		})
	}
}

func TestUpgradeUsesCurrentRootsAndCertificate(t *testing.T) {
	leak.Check(t)
	a, b := testpki.MustCA(t, "a"), testpki.MustCA(t, "b")
	file, clk := filepath.Join(t.TempDir(), "ca.crt"), newClock()
	write(t, file, a.PEM())
	roots, err := transport.NewCAFile(file, transport.FileOptions{Now: clk.Now})
	if err != nil {
		t.Fatal(err)
	}
	k := startKubelet(t, nodePair(t, a, "node-1", "node-1"), "h2", "http/1.1")
	p, _, _, _, _, _, _ := pairFiles(t)
	rt := roundTripper(t, transport.Config{Roots: roots, Certificates: p, Address: toAddress(k.addr)}, transport.HTTPConfig{})
	const url = "https://node-1:10250/exec"
	if err := upgrade(t.Context(), rt, url); err != nil {
		t.Fatal(err)
	}
	if one, other := rt.TLSClientConfig(), rt.TLSClientConfig(); one == other {
		t.Error("TLSClientConfig returned one configuration twice")
	}
	cert, err := rt.TLSClientConfig().GetClientCertificate(&tls.CertificateRequestInfo{})
	if err != nil || cert != p.Certificate() {
		t.Errorf("the client certificate is not the pair's: %v", err)
	}
	write(t, file, b.PEM())
	clk.Tick()
	for how, as := range map[string]http.RoundTripper{"itself": rt, "unwrapped": rt.WrappedRoundTripper()} {
		if err := upgrade(t.Context(), as, url); !errors.As(err, new(x509.UnknownAuthorityError)) {
			t.Errorf("%s, after the rotation: %v, want an unknown authority", how, err)
		}
	}
}

func TestUpgradeOverPlainHTTPIsRefused(t *testing.T) {
	leak.Check(t)
	ca := testpki.MustCA(t, "ca")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(exec)}
	go srv.Serve(ln)
	defer srv.Close()
	cfg := transport.Config{Roots: transport.StaticRoots(ca.Pool()), Address: toAddress(ln.Addr().String())}
	err = upgrade(t.Context(), roundTripper(t, cfg, transport.HTTPConfig{}), "http://pod-1:80/exec")
	if !errors.Is(err, transport.ErrHTTPSOnly) {
		t.Errorf("got %v, want ErrHTTPSOnly", err)
	}
	if err := upgrade(t.Context(), roundTripper(t, cfg, transport.HTTPConfig{AllowHTTP: true}), "http://pod-1:80/exec"); err != nil {
		t.Errorf("where it is allowed: %v", err)
	}
}

// TestRoundTripUpgrades asks for the upgrade through RoundTrip itself, beside a
// pooled HTTP/2 connection that could not serve it.
func TestRoundTripUpgrades(t *testing.T) {
	leak.Check(t)
	ca := testpki.MustCA(t, "ca")
	k := startKubelet(t, nodePair(t, ca, "node-1", "node-1"), "h2", "http/1.1")
	rt := roundTripper(t, transport.Config{
		Roots: transport.StaticRoots(ca.Pool()), Address: toAddress(k.addr), NodeName: transport.HostAsNode,
	}, transport.HTTPConfig{})
	mustOK(t, rt, "https://node-1:10250", "HTTP/2.0")
	for _, protocol := range []string{"SPDY/3.1", "websocket"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://node-1:10250/exec", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = upgradeHeader(protocol)
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s: %v", protocol, err)
		}
		stream, is := resp.Body.(io.ReadWriteCloser)
		if resp.StatusCode != http.StatusSwitchingProtocols || !is {
			t.Fatalf("%s: %s, %T", protocol, resp.Status, resp.Body)
		}
		word := make([]byte, 4)
		if _, err := io.WriteString(stream, "word"); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(stream, word); err != nil || string(word) != "word" {
			t.Errorf("%s: echoed %q and %v", protocol, word, err)
		}
		stream.Close()
	}
}

// TestConfigReadBesideFirstRequest is for the race detector: net/http completes
// a transport at its first request, while an upgrade may read it.
func TestConfigReadBesideFirstRequest(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	k := startKubelet(t, nodePair(t, ca, "node-1", "node-1"), "h2", "http/1.1")
	rt := roundTripper(t, transport.Config{Roots: transport.StaticRoots(ca.Pool()), Address: toAddress(k.addr)}, transport.HTTPConfig{})
	inner := rt.WrappedRoundTripper()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := ok(t, rt, "https://node-1:1"); err != nil {
			t.Error(err)
		}
	})
	if config := configOf(inner).Clone(); config.RootCAs == nil {
		t.Error("the inner transport has no roots")
	}
	wg.Wait()
}

func TestUpgradePassesErrorsOfTheDial(t *testing.T) {
	refuse := dialer.Func(func(context.Context, string, string) (net.Conn, error) { return nil, dialer.ErrRefused })
	rt := roundTripper(t, transport.Config{Dialer: refuse, Roots: transport.StaticRoots(testpki.MustCA(t, "ca").Pool())}, transport.HTTPConfig{})
	if err := upgrade(t.Context(), rt, "https://node-1:1/exec"); !errors.Is(err, dialer.ErrRefused) {
		t.Errorf("got %v, want refused", err)
	}
}
