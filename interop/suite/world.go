package suite

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/transport"
)

// patience bounds whatever a test waits for.
const patience = 20 * time.Second

// world is one of our servers, with the means to attach to it.
type world struct {
	t      testing.TB
	ca     *testpki.CA
	server *konnectivity.Server
	addr   string // where agents connect
}

func newWorld(t testing.TB, tune func(*konnectivity.ServerConfig)) *world {
	t.Helper()
	return newWorldOf(t, testpki.MustCA(t, "test"), tune)
}

// newWorldOf is newWorld for worlds whose certificates one authority signs.
func newWorldOf(t testing.TB, ca *testpki.CA, tune func(*konnectivity.ServerConfig)) *world {
	t.Helper()
	w := &world{t: t, ca: ca}
	cfg := konnectivity.ServerConfig{ID: "srv", TLS: serverTLS(t, ca), Identity: anyClaim}
	if tune != nil {
		tune(&cfg)
	}
	var err error
	if w.server, err = konnectivity.NewServer(cfg); err != nil {
		t.Fatal(err)
	}
	ln := listen(t)
	w.addr = ln.Addr().String()
	background(t, func() { w.server.Serve(context.Background(), ln) }, func() { w.server.Close() })
	return w
}

// anyClaim is the identity of tests that are about something else.
var anyClaim = konnectivity.IdentityFunc(func(context.Context, konnectivity.Peer, konnectivity.Claim) error { return nil })

func serverTLS(t testing.TB, ca *testpki.CA) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{ca.MustPair(t, testpki.Leaf{CommonName: "server", Names: []string{"127.0.0.1"}})},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    ca.Pool(),
		MinVersion:   tls.VersionTLS12,
	}
}

func clientTLS(t testing.TB, ca *testpki.CA, name string) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{ca.MustPair(t, testpki.Leaf{CommonName: name})},
		RootCAs:      ca.Pool(),
		ServerName:   "127.0.0.1",
	}
}

// agentConfig is that of an agent of ours that serves everything on loopback.
func agentConfig(t testing.TB, ca *testpki.CA, id string, servers ...string) konnectivity.AgentConfig {
	t.Helper()
	policy, err := konnectivity.NewPolicy(
		konnectivity.PolicyRule{CIDRs: []string{"127.0.0.0/8"}},
		konnectivity.PolicyRule{Names: []string{"hanging.test"}, CIDRs: []string{"127.0.0.0/8"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return konnectivity.AgentConfig{
		ID: id, Identifiers: konnectivity.Identifiers{DefaultRoute: true}, Servers: servers,
		Roots:        transport.StaticRoots(ca.Pool()),
		Certificates: transport.StaticCertificate(ca.MustPair(t, testpki.Leaf{CommonName: id})),
		Policy:       policy,
		MinBackoff:   20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, DrainTimeout: -1,
	}
}

// agent runs one of our agents until the test ends or stop is called, and waits
// until it is connected.
func (w *world) agent(id string, tune func(*konnectivity.AgentConfig)) (stop func()) {
	w.t.Helper()
	cfg := agentConfig(w.t, w.ca, id, w.addr)
	if tune != nil {
		tune(&cfg)
	}
	before := w.count(cfg.ID)
	stop, _ = runAgent(w.t, cfg)
	eventually(w.t, "agent "+cfg.ID+" connected", func() bool { return w.count(cfg.ID) > before })
	return stop
}

// runAgent runs an agent of ours until the test ends or stop is called.
func runAgent(t testing.TB, cfg konnectivity.AgentConfig) (stop func(), a *konnectivity.Agent) {
	t.Helper()
	a, err := konnectivity.NewAgent(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	return background(t, func() { a.Run(ctx) }, cancel), a
}

// count is how many tunnels the server has of the agent.
func (w *world) count(id string) (n int) {
	for _, a := range w.server.Agents() {
		if a.ID == id {
			n++
		}
	}
	return n
}

// front is one of our front ends, as its clients know it.
type front struct {
	mode    konnectivity.Mode
	network string // "unix" or "tcp"
	address string
	tls     *tls.Config // of clients; nil for unix
	stop    func()
}

// front serves a front end until the test ends.
func (w *world) front(mode konnectivity.Mode, network string) *front {
	w.t.Helper()
	f, err := konnectivity.NewFrontend(konnectivity.FrontendConfig{Dialer: w.server, Mode: mode, TLS: serverTLS(w.t, w.ca)})
	if err != nil {
		w.t.Fatal(err)
	}
	out := &front{mode: mode, network: network}
	var ln net.Listener
	if network == "unix" {
		if ln, err = konnectivity.ListenUnix(filepath.Join(w.t.TempDir(), "s"), konnectivity.UnixOptions{}); err != nil {
			w.t.Fatal(err)
		}
	} else {
		ln = listen(w.t)
		out.tls = clientTLS(w.t, w.ca, "kube-apiserver")
	}
	out.address = ln.Addr().String()
	out.stop = background(w.t, func() { f.Serve(context.Background(), ln) }, func() { f.Close() })
	return out
}

// target is what gRPC dials, and how.
func (f *front) target() (string, []grpc.DialOption) {
	if f.network == "unix" {
		return "unix:" + f.address, []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	}
	return "passthrough:///" + f.address, []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(f.tls))}
}

// background runs run until the test ends or stop is called, which calls end and
// waits.
func background(t testing.TB, run, end func()) (stop func()) {
	done := make(chan struct{})
	go func() { defer close(done); run() }()
	stop = sync.OnceFunc(func() { end(); <-done })
	t.Cleanup(stop)
	return stop
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// eventually polls for something that must happen.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen in time: %s", what)
		}
	}
}

var errSlow = errors.New("it took too long")

// bounded runs f, which has no bound of its own, and returns its error, or
// errSlow after limit.
func bounded(limit time.Duration, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return errSlow
	}
}
