package konnectivity

import (
	"context"
	"crypto/tls"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/direct"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// The roads to a front end.
const (
	overUnix  = "unix"
	overTLS12 = "TLS 1.2"
	overTLS13 = "TLS"
	overPlain = "plaintext"
)

// front is a front end with the means to reach it.
type front struct {
	t    testing.TB
	f    *Frontend
	ca   *testpki.CA
	ln   net.Listener
	road string
	stop func() // ends Serve's context and waits for Serve
	done chan error
}

// newFront serves a front end until the test ends. It dials directly, unless
// tune says otherwise.
func newFront(t testing.TB, mode Mode, road string, tune func(*FrontendConfig)) *front {
	t.Helper()
	fr := &front{t: t, ca: testpki.MustCA(t, "front"), road: road}
	cfg := FrontendConfig{Mode: mode, Dialer: &direct.Dialer{}, TLS: serverTLS(t, fr.ca)}
	cfg.TLS.MinVersion = tls.VersionTLS12
	if road == overTLS12 {
		cfg.TLS.MaxVersion = tls.VersionTLS12
	}
	if tune != nil {
		tune(&cfg)
	}
	f, err := NewFrontend(cfg)
	if err != nil {
		t.Fatal(err)
	}
	fr.f = f
	fr.serve(fr.listen())
	t.Cleanup(func() { f.Close(); <-fr.done })
	return fr
}

func (fr *front) listen() net.Listener {
	fr.t.Helper()
	var ln net.Listener
	var err error
	switch fr.road {
	case overUnix:
		ln, err = ListenUnix(filepath.Join(fr.t.TempDir(), "s"), UnixOptions{})
	case overPlain:
		ln, err = net.Listen("tcp", "127.0.0.1:0")
		ln = plainListener{ln}
	default:
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		fr.t.Fatal(err)
	}
	return ln
}

func (fr *front) serve(ln net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	fr.ln, fr.done = ln, done
	go func() { done <- fr.f.Serve(ctx, ln); close(done) }()
	fr.stop = sync.OnceFunc(func() { cancel(); <-done })
}

// plainListener passes TCP off as a unix socket, as a terminator of TLS in front
// of one would: no Frontend serves TCP without TLS.
type plainListener struct{ net.Listener }

func (plainListener) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "plain"} }

func (fr *front) address() string {
	if p, ok := fr.ln.(plainListener); ok {
		return p.Listener.Addr().String()
	}
	return fr.ln.Addr().String()
}

// clientConfig is that of a client which fr takes.
func (fr *front) clientConfig() ClientConfig {
	cfg := ClientConfig{Mode: fr.f.cfg.Mode, Network: "tcp", Address: fr.address()}
	switch fr.road {
	case overUnix:
		cfg.Network = "unix"
	case overPlain:
		cfg.Plaintext = true
	default:
		cfg.Roots = transport.StaticRoots(fr.ca.Pool())
		cfg.Certificates = transport.StaticCertificate(fr.ca.MustPair(fr.t, testpki.Leaf{CommonName: "kube-apiserver"}))
	}
	return cfg
}

func (fr *front) client(tune func(*ClientConfig)) *Client {
	fr.t.Helper()
	cfg := fr.clientConfig()
	if tune != nil {
		tune(&cfg)
	}
	return mustClient(fr.t, cfg)
}

func mustClient(t testing.TB, cfg ClientConfig) *Client {
	t.Helper()
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// raw connects to fr as its clients do, and no further.
func (fr *front) raw() net.Conn {
	fr.t.Helper()
	cfg := fr.clientConfig()
	r, err := newReach(&cfg)
	if err != nil {
		fr.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), cfg.handshakeTimeout())
	defer cancel()
	c, err := r.dial(ctx)
	if err != nil {
		fr.t.Fatal(err)
	}
	fr.t.Cleanup(func() { c.Close() })
	return c
}

// way is a mode on a road.
type way struct {
	mode Mode
	road string
}

func (w way) String() string { return string(w.mode) + " over " + w.road }

// ways are all that a client can go.
var ways = []way{
	{ModeGRPC, overUnix},
	{ModeGRPC, overTLS13},
	{ModeHTTPConnect, overUnix},
	{ModeHTTPConnect, overTLS13},
	{ModeHTTPConnect, overTLS12},
	{ModeHTTPConnect, overPlain},
}

// eachWay runs test on every way.
func eachWay(t *testing.T, test func(t *testing.T, w way)) {
	for _, w := range ways {
		t.Run(w.String(), func(t *testing.T) { test(t, w) })
	}
}

// failing is a Dialer whose dials fail with err.
func failing(err error) dialer.Dialer {
	return dialer.Func(func(context.Context, string, string) (net.Conn, error) { return nil, err })
}

// hanging is a Dialer whose dials hang until their context ends. started gets an
// item for each that began, and ended the cause of each that ended.
type hanging struct{ started, ended chan error }

func newHanging() hanging { return hanging{make(chan error, 16), make(chan error, 16)} }

func (h hanging) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	h.started <- nil
	<-ctx.Done()
	h.ended <- ctx.Err()
	return nil, dialer.Wrap(ctx.Err(), dialer.HopTarget, network, address)
}

// counter counts calls.
type counter struct{ n atomic.Int64 }

func (c *counter) add()       { c.n.Add(1) }
func (c *counter) get() int64 { return c.n.Load() }

// byAddress dials each address in its own way.
type byAddress map[string]dialer.Dialer

func (b byAddress) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d, ok := b[address]; ok {
		return d.DialContext(ctx, network, address)
	}
	return (&direct.Dialer{}).DialContext(ctx, network, address)
}
