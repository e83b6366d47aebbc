package konnectivity

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// What the tests of other packages have, too.
type logs = testkit.Logs

var (
	eventually  = testkit.Eventually
	exchange    = testkit.Exchange
	serveTarget = testkit.Serve
)

// world is a server with the means to attach agents to it.
type world struct {
	t    testing.TB
	ca   *testpki.CA
	srv  *Server
	addr string
	logs *logs // the server's

	agentLogs *logs
	speaks    []Protocol // by its agents; none is the default
}

func serverTLS(t testing.TB, ca *testpki.CA) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{ca.MustPair(t, testpki.Leaf{CommonName: "server", Names: []string{"127.0.0.1", "server.test"}})},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    ca.Pool(),
		MinVersion:   tls.VersionTLS13,
	}
}

// anyClaim is the identity of tests that are about something else.
var anyClaim = IdentityFunc(func(context.Context, Peer, Claim) error { return nil })

func newWorld(t testing.TB, tune func(*ServerConfig)) *world {
	t.Helper()
	w := &world{t: t, ca: testpki.MustCA(t, "tunnel"), logs: new(logs), agentLogs: new(logs)}
	cfg := ServerConfig{ID: "srv", TLS: serverTLS(t, w.ca), Identity: anyClaim, Log: w.logs.Logger()}
	if tune != nil {
		tune(&cfg)
	}
	srv, err := NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.srv = srv
	w.listen("127.0.0.1:0")
	return w
}

// listen serves w.srv on addr until the test ends.
func (w *world) listen(addr string) {
	w.t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.addr = ln.Addr().String()
	srv, done := w.srv, make(chan struct{})
	go func() { defer close(done); srv.Serve(context.Background(), ln) }()
	w.t.Cleanup(func() { srv.Close(); <-done })
}

// loopback is a policy that allows what tests dial.
func loopback(t testing.TB) *Policy {
	t.Helper()
	p, err := NewPolicy(PolicyRule{CIDRs: []string{"127.0.0.0/8", "::1/128"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) agentConfig(id string, ids Identifiers) AgentConfig {
	return AgentConfig{
		ID: id, Identifiers: ids, Servers: []string{w.addr}, Protocols: w.speaks,
		Roots:        transport.StaticRoots(w.ca.Pool()),
		Certificates: transport.StaticCertificate(w.ca.MustPair(w.t, testpki.Leaf{CommonName: id})),
		Policy:       loopback(w.t), Log: w.agentLogs.Logger(),
		MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, DrainTimeout: -1,
	}
}

// run runs an agent until the test ends or stop is called, and waits for it to
// be connected.
func (w *world) run(cfg AgentConfig) (a *Agent, stop func()) {
	w.t.Helper()
	a, stop = w.start(cfg)
	eventually(w.t, "agent "+cfg.ID+" connected", func() bool { return a.Ready() == nil && w.knows(cfg.ID) })
	return a, stop
}

func (w *world) start(cfg AgentConfig) (a *Agent, stop func()) {
	w.t.Helper()
	a, err := NewAgent(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return a, w.runAgent(a)
}

// runAgent runs a until the test ends or stop is called.
func (w *world) runAgent(a *Agent) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	w.t.Cleanup(stop)
	return stop
}

func (w *world) knows(id string) bool {
	for _, a := range w.srv.Agents() {
		if a.ID == id {
			return true
		}
	}
	return false
}

// everywhere makes an agent the default route.
var everywhere = Identifiers{DefaultRoute: true}

// echo is a target that answers each conn with what it gets, half-close
// included.
func echo(t testing.TB) string {
	return target(t, func(c net.Conn) {
		io.Copy(c, c)
		c.(dialer.CloseWriter).CloseWrite()
	})
}

// target serves each conn with serve and closes it afterwards.
func target(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveTarget(t, ln, serve)
}

func dial(t testing.TB, d dialer.Dialer, address string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// talk sends msg and wants it back.
func talk(t testing.TB, c net.Conn, msg string) {
	t.Helper()
	if err := exchange(c, msg); err != nil {
		t.Fatal(err)
	}
}

func hostOf(address string) string {
	ap := netip.MustParseAddrPort(address)
	return ap.Addr().String()
}

// staticNode is a kubelet's certificate for the node name.
func staticNode(t testing.TB, ca *testpki.CA, name string) transport.Certificates {
	t.Helper()
	return transport.StaticCertificate(ca.MustPair(t, testpki.Leaf{
		CommonName: "system:node:" + name, Groups: []string{"system:nodes"}, Names: []string{name},
	}))
}

// everywhereCIDR claims every address by network, which comes before a default
// route.
var everywhereCIDR = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
