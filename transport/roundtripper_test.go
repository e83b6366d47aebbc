package transport_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

func TestRoundTripperSharesConnections(t *testing.T) {
	leak.Check(t)
	ca := testpki.MustCA(t, "ca")
	for proto, protos := range map[string][]string{"HTTP/2.0": {"h2", "http/1.1"}, "HTTP/1.1": {"http/1.1"}} {
		k := startKubelet(t, nodePair(t, ca, "node-1", "node-1"), protos...)
		rt := roundTripper(t, transport.Config{Roots: transport.StaticRoots(ca.Pool()), Address: toAddress(k.addr)}, transport.HTTPConfig{})
		for range 5 {
			mustOK(t, rt, "https://node-1:10250", proto)
		}
		if n := k.conns.Load(); n != 1 {
			t.Errorf("%s: %d connections for five requests, want 1", proto, n)
		}
		rt.CloseIdleConnections()
		mustOK(t, rt, "https://node-1:10250", proto)
		if n := k.conns.Load(); n != 2 {
			t.Errorf("%s: %d connections after CloseIdleConnections, want 2", proto, n)
		}
	}
}

func TestRoundTripperVerifies(t *testing.T) {
	ca, other := testpki.MustCA(t, "ca"), testpki.MustCA(t, "other")
	cfg := transport.Config{Roots: transport.StaticRoots(ca.Pool()), NodeName: transport.HostAsNode}
	for name, tc := range map[string]struct {
		k  *kubelet
		ok bool
	}{
		"right":      {startKubelet(t, nodePair(t, ca, "node-1", "node-1"), "h2"), true},
		"wrong CA":   {startKubelet(t, nodePair(t, other, "node-1", "node-1"), "h2"), false},
		"wrong name": {startKubelet(t, nodePair(t, ca, "node-1", "node-3"), "h2"), false},
		"wrong node": {startKubelet(t, nodePair(t, ca, "node-2", "node-1"), "h2"), false},
	} {
		cfg.Address = toAddress(tc.k.addr)
		_, err := ok(t, roundTripper(t, cfg, transport.HTTPConfig{}), "https://node-1:10250")
		if (err == nil) != tc.ok {
			t.Errorf("%s: %v", name, err)
		}
		if de, is := errors.AsType[*dialer.Error](err); !tc.ok && (!is || !de.At(dialer.HopTLS)) {
			t.Errorf("%s: %v is no *dialer.Error at tls", name, err)
		}
	}
}

func TestRotationKeepsStreamsAndRefusesTheOld(t *testing.T) {
	for _, tc := range []struct {
		name   string
		protos []string
		proto  string
	}{
		{"h2", []string{"h2", "http/1.1"}, "HTTP/2.0"},
		{"h1", []string{"http/1.1"}, "HTTP/1.1"},
	} {
		for _, swap := range []string{"rename", "symlink"} {
			t.Run(tc.name+" "+swap, func(t *testing.T) {
				leak.Check(t)
				a, b := testpki.MustCA(t, "a"), testpki.MustCA(t, "b")
				dir, clk := t.TempDir(), newClock()
				v := &volume{dir: dir}
				put := func(ca *testpki.CA) {
					if swap == "symlink" {
						v.put(t, map[string][]byte{"ca.crt": ca.PEM()})
					} else {
						write(t, filepath.Join(dir, "ca.crt"), ca.PEM())
					}
				}
				put(a)
				roots, err := transport.NewCAFile(filepath.Join(dir, "ca.crt"), transport.FileOptions{Now: clk.Now})
				if err != nil {
					t.Fatal(err)
				}
				k := startKubelet(t, nodePair(t, a, "node-1", "node-1"), tc.protos...)
				rt := roundTripper(t, transport.Config{Roots: roots, Address: toAddress(k.addr), NodeName: transport.HostAsNode}, transport.HTTPConfig{})
				const url = "https://node-1:10250"
				pass, end := k.follow(t, rt, url)
				defer end()
				pass("before")
				mustOK(t, rt, url, tc.proto) // and leaves an idle connection

				put(b)
				clk.Tick()
				// The server still has its certificate of the old authority, and
				// with HTTP/2 a connection of ours that is in use.
				_, err = ok(t, rt, url)
				if !errors.As(err, new(x509.UnknownAuthorityError)) {
					t.Fatalf("a request after the rotation: %v, want an unknown authority", err)
				}
				pass("after")

				pair := nodePair(t, b, "node-1", "node-1")
				k.pair.Store(&pair)
				mustOK(t, rt, url, tc.proto)
				before := k.conns.Load()
				mustOK(t, rt, url, tc.proto)
				if n := k.conns.Load(); n != before {
					t.Errorf("%d new connections for a second request", n-before)
				}
				pass("long after")
				// The stream's connection is of no use to anybody after it.
				k.wantOpen(t, 2)
				end()
				rt.CloseIdleConnections()
				k.wantOpen(t, 0)
			})
		}
	}
}

func TestClientCertificateRotationRenewsConnections(t *testing.T) {
	leak.Check(t)
	ca := testpki.MustCA(t, "ca")
	p, cert, key, _, second, clk, _ := pairFiles(t)
	k := startKubelet(t, nodePair(t, ca, "node-1", "node-1"), "h2")
	rt := roundTripper(t, transport.Config{Roots: transport.StaticRoots(ca.Pool()), Certificates: p, Address: toAddress(k.addr)}, transport.HTTPConfig{})
	mustOK(t, rt, "https://node-1:1", "HTTP/2.0")
	write(t, cert, second.Cert)
	write(t, key, second.Key)
	clk.Tick()
	mustOK(t, rt, "https://node-1:1", "HTTP/2.0")
	if n := k.conns.Load(); n != 2 {
		t.Errorf("%d connections, want one for each certificate", n)
	}
	k.wantOpen(t, 1) // the idle one of the old certificate has been closed
}

func TestNoProxyOfTheEnvironment(t *testing.T) {
	// Nothing listens there, so whoever asks the environment fails.
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://"+ln.Addr().String())
	}
	t.Setenv("NO_PROXY", "")
	t.Setenv("no_proxy", "")
	ca := testpki.MustCA(t, "ca")
	k := startKubelet(t, nodePair(t, ca, "node-1", "node-1"), "h2")
	rt := roundTripper(t, transport.Config{Roots: transport.StaticRoots(ca.Pool()), Address: toAddress(k.addr)}, transport.HTTPConfig{})
	mustOK(t, rt, "https://node-1:10250", "HTTP/2.0")
	if rt.WrappedRoundTripper().(*http.Transport).Proxy != nil {
		t.Error("the inner transport has a proxy")
	}
}

// closeNoter is a request body that notes its Close.
type closeNoter struct {
	*strings.Reader
	closed bool
}

func (c *closeNoter) Close() error { c.closed = true; return nil }

func TestPlainHTTPIsRefused(t *testing.T) {
	leak.Check(t)
	ca := testpki.MustCA(t, "ca")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(r.Proto)) })}
	go srv.Serve(ln)
	defer srv.Close()
	var dials atomic.Int64
	cfg := transport.Config{
		Roots: transport.StaticRoots(ca.Pool()),
		Dialer: dialer.Func(func(ctx context.Context, network, _ string) (net.Conn, error) {
			dials.Add(1)
			return new(net.Dialer).DialContext(ctx, network, ln.Addr().String())
		}),
	}

	rt := roundTripper(t, cfg, transport.HTTPConfig{})
	for name, rt := range map[string]http.RoundTripper{"outer": rt, "inner": rt.WrappedRoundTripper()} {
		for _, upgrade := range []bool{false, true} {
			body := &closeNoter{Reader: strings.NewReader("x")}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://pod-1:80/", body)
			if err != nil {
				t.Fatal(err)
			}
			if upgrade {
				req.Header.Set("Connection", "Upgrade")
				req.Header.Set("Upgrade", "websocket")
			}
			_, err = rt.RoundTrip(req)
			if !errors.Is(err, transport.ErrHTTPSOnly) || !errors.Is(err, dialer.ErrDenied) || !body.closed {
				t.Errorf("%s, upgrade %v: %v, body closed %v", name, upgrade, err, body.closed)
			}
		}
	}
	if n := dials.Load(); n != 0 {
		t.Errorf("%d dials for requests that are refused", n)
	}
	mustOK(t, roundTripper(t, cfg, transport.HTTPConfig{AllowHTTP: true}), "http://pod-1:80", "HTTP/1.1")
}

func TestRoundTripperBounds(t *testing.T) {
	for name, bad := range map[string]transport.HTTPConfig{
		"IdleConnTimeout":        {IdleConnTimeout: -1},
		"MaxResponseHeaderBytes": {MaxResponseHeaderBytes: -1},
		"PingTimeout":            {PingTimeout: -1},
	} {
		d := mustDialer(t, transport.Config{Roots: transport.StaticRoots(testpki.MustCA(t, "ca").Pool())})
		if _, err := transport.NewRoundTripper(d, bad); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("negative %s: %v", name, err)
		}
	}
	if _, err := transport.NewRoundTripper(nil, transport.HTTPConfig{}); err == nil {
		t.Error("no Dialer, no error")
	}

	rt := roundTripper(t, transport.Config{Roots: transport.StaticRoots(testpki.MustCA(t, "ca").Pool())}, transport.HTTPConfig{})
	inner := rt.WrappedRoundTripper().(*http.Transport)
	if inner.HTTP2.SendPingTimeout != 30*time.Second || inner.HTTP2.PingTimeout != 15*time.Second ||
		inner.IdleConnTimeout != 90*time.Second || inner.MaxIdleConnsPerHost != 25 || inner.MaxResponseHeaderBytes != 1<<20 {
		t.Errorf("the defaults are not those documented: %+v", inner)
	}
}

func TestRoundTripperBoundsTheDial(t *testing.T) {
	leak.Check(t)
	never := dialer.Func(func(ctx context.Context, network, address string) (net.Conn, error) {
		<-ctx.Done()
		return nil, dialer.Wrap(ctx.Err(), dialer.HopTarget, network, address)
	})
	cfg := transport.Config{Dialer: never, Roots: transport.StaticRoots(testpki.MustCA(t, "ca").Pool())}
	rt := roundTripper(t, cfg, transport.HTTPConfig{DialTimeout: time.Millisecond})
	if _, err := ok(t, rt, "https://node-1:1"); dialer.KindOf(err) != dialer.Timeout {
		t.Errorf("got %v, want a timeout", err)
	}
}
