package apiserver_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/server/egressselector"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/selector"
	"github.com/sallyport/sallyport/transport"
)

// TestNoRegistrationClash: a program with two messages of one name panics before
// its main begins, so that this test runs at all is the proof, provided that the
// other one is there. Konnectivity's messages have no package, just "Packet": a
// type of that name generated for us would be the second.
func TestNoRegistrationClash(t *testing.T) {
	for _, name := range []protoreflect.FullName{"Packet", "DialRequest", "ProxyService"} {
		d, err := protoregistry.GlobalFiles.FindDescriptorByName(name)
		if err != nil {
			t.Fatalf("Konnectivity's %s is not in this program, so the test proves nothing: %v", name, err)
		}
		if file := d.ParentFile().Path(); !strings.HasPrefix(file, "konnectivity-client/") {
			t.Errorf("%s comes from %s, want Konnectivity's client", name, file)
		}
	}
	if _, err := protoregistry.GlobalTypes.FindMessageByName("Packet"); err != nil {
		t.Errorf("Konnectivity's Packet is known and not registered as a type: %v", err)
	}
}

// TestClashWouldShow: what generated code for a second Packet does at the start
// of a program does panic in this one.
func TestClashWouldShow(t *testing.T) {
	second, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:        proto.String("another.proto"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Packet")}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if msg := fmt.Sprint(recover()); !strings.Contains(msg, "Packet") {
			t.Errorf("registering a second Packet: %s, want a panic about it", msg)
		}
	}()
	err = protoregistry.GlobalFiles.RegisterFile(second)
	t.Errorf("registering a second Packet: %v, want a panic", err)
}

// TestOurDialerInTheirSelector: a custom apiserver hands our DialContext to the
// egress selector, and dials through a server and an agent.
func TestOurDialerInTheirSelector(t *testing.T) {
	w := newWorld(t)
	sel, err := selector.New(selector.Config{
		Rules:  []selector.Rule{{Class: "cluster", CIDRs: []string{"127.0.0.0/8"}}},
		Routes: map[selector.Class]selector.Route{"cluster": {Name: "tunnel", Dialer: w.server}},
	})
	if err != nil {
		t.Fatal(err)
	}
	egress := egressselector.NewEgressSelectorWithMap(map[egressselector.EgressType]utilnet.DialFunc{
		egressselector.Cluster: sel.DialContext,
	})
	w.fetch(lookup(t, egress))

	// A target that refuses is recognisable through all of it.
	closed := closedPort(t)
	_, err = lookup(t, egress)(t.Context(), "tcp", closed)
	if !errors.Is(err, dialer.ErrRefused) {
		t.Errorf("dialing %s: %v, want %v", closed, err, dialer.ErrRefused)
	}
}

// TestTheirSelectorOurFrontEnd: a stock apiserver's connectors, all three that its
// configuration can name, against our front ends, in the very same process.
func TestTheirSelectorOurFrontEnd(t *testing.T) {
	w := newWorld(t)
	pair := w.ca.MustIssue(t, testpki.Leaf{CommonName: "kube-apiserver"})
	cert, key, err := pair.Write(t.TempDir(), "client")
	if err != nil {
		t.Fatal(err)
	}
	ca := filepath.Join(t.TempDir(), "ca.crt")
	if err := testpki.WriteFile(ca, w.ca.PEM()); err != nil {
		t.Fatal(err)
	}
	uds := func(mode konnectivity.Mode) *apiserver.Transport {
		ln, err := konnectivity.ListenUnix(filepath.Join(t.TempDir(), "s"), konnectivity.UnixOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w.front(mode, ln)
		return &apiserver.Transport{UDS: &apiserver.UDSTransport{UDSName: ln.Addr().String()}}
	}
	tcp := func(mode konnectivity.Mode) *apiserver.Transport {
		ln := listen(t)
		w.front(mode, ln)
		return &apiserver.Transport{TCP: &apiserver.TCPTransport{
			URL:       "https://" + ln.Addr().String(),
			TLSConfig: &apiserver.TLSConfig{CABundle: ca, ClientCert: cert, ClientKey: key},
		}}
	}
	for _, tt := range []struct {
		name       string
		connection apiserver.Connection
		refused    string // what the error says about a target that refuses
	}{
		{"GRPC over a unix socket", apiserver.Connection{ProxyProtocol: apiserver.ProtocolGRPC, Transport: uds(konnectivity.ModeGRPC)}, "connection refused"},
		{"CONNECT over a unix socket", apiserver.Connection{ProxyProtocol: apiserver.ProtocolHTTPConnect, Transport: uds(konnectivity.ModeHTTPConnect)}, "502"},
		{"CONNECT over TLS", apiserver.Connection{ProxyProtocol: apiserver.ProtocolHTTPConnect, Transport: tcp(konnectivity.ModeHTTPConnect)}, "502"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			egress, err := egressselector.NewEgressSelector(&apiserver.EgressSelectorConfiguration{
				EgressSelections: []apiserver.EgressSelection{{Name: "cluster", Connection: tt.connection}},
			})
			if err != nil {
				t.Fatal(err)
			}
			dial := lookup(t, egress)
			for range 20 {
				w.fetch(dial)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			if _, err := dial(ctx, "tcp", closedPort(t)); err == nil || !strings.Contains(err.Error(), tt.refused) {
				t.Errorf("a target that refuses: %v, want an error with %q", err, tt.refused)
			}
		})
	}
}

func lookup(t *testing.T, s *egressselector.EgressSelector) utilnet.DialFunc {
	t.Helper()
	dial, err := s.Lookup(egressselector.Cluster.AsNetworkContext())
	if err != nil || dial == nil {
		t.Fatalf("the selector has no way into the cluster: %v", err)
	}
	return dial
}

// world is a tunnel server with an agent, and a web server with TLS behind it.
type world struct {
	t      *testing.T
	ca     *testpki.CA
	tls    *tls.Config
	server *konnectivity.Server
	web    *httptest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ca: testpki.MustCA(t, "test")}
	w.tls = &tls.Config{
		Certificates: []tls.Certificate{w.ca.MustPair(t, testpki.Leaf{CommonName: "server", Names: []string{"127.0.0.1"}})},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    w.ca.Pool(),
	}
	w.web = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		io.Copy(rw, r.Body)
	}))
	t.Cleanup(w.web.Close)

	server, err := konnectivity.NewServer(konnectivity.ServerConfig{
		TLS:      w.tls,
		Identity: konnectivity.IdentityFunc(func(context.Context, konnectivity.Peer, konnectivity.Claim) error { return nil }),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.server = server
	ln := listen(t)
	w.serve(func() error { return server.Serve(context.Background(), ln) }, server.Close)

	policy, err := konnectivity.NewPolicy(konnectivity.PolicyRule{CIDRs: []string{"127.0.0.0/8"}})
	if err != nil {
		t.Fatal(err)
	}
	agent, err := konnectivity.NewAgent(konnectivity.AgentConfig{
		ID: "edge", Identifiers: konnectivity.Identifiers{DefaultRoute: true}, Servers: []string{ln.Addr().String()},
		Roots:        transport.StaticRoots(w.ca.Pool()),
		Certificates: transport.StaticCertificate(w.ca.MustPair(t, testpki.Leaf{CommonName: "edge"})),
		Protocols:    []konnectivity.Protocol{konnectivity.ProtocolGRPC}, // the one that could clash
		Policy:       policy, DrainTimeout: -1,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.serve(func() error { return agent.Run(ctx) }, func() error { cancel(); return nil })
	for deadline := time.Now().Add(20 * time.Second); len(server.Agents()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the agent did not connect: %v", agent.Ready())
		}
	}
	return w
}

// front serves a front end on ln until the test ends.
func (w *world) front(mode konnectivity.Mode, ln net.Listener) {
	w.t.Helper()
	f, err := konnectivity.NewFrontend(konnectivity.FrontendConfig{Dialer: w.server, Mode: mode, TLS: w.tls.Clone()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.serve(func() error { return f.Serve(context.Background(), ln) }, f.Close)
}

// serve runs serve until the test ends, which then calls stop.
func (w *world) serve(serve, stop func() error) {
	done := make(chan error, 1)
	go func() { done <- serve() }()
	w.t.Cleanup(func() { stop(); <-done })
}

// fetch sends an HTTPS request through dial and compares the echo.
func (w *world) fetch(dial utilnet.DialFunc) {
	w.t.Helper()
	tr := w.web.Client().Transport.(*http.Transport).Clone()
	tr.DialContext = dial
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, Timeout: 20 * time.Second}
	const msg = "hello from the control plane"
	resp, err := client.Post(w.web.URL, "text/plain", strings.NewReader(msg))
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != msg {
		w.t.Fatalf("the echo is %q, %v, want %q", got, err, msg)
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// closedPort is an address where nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	ln := listen(t)
	defer ln.Close()
	return ln.Addr().String()
}
