package sallyport_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/transport"
)

// nodeName is the one node of the example.
const nodeName = "node-1.nodes.example"

// nodeLeaf is a node's certificate, of its kubelet as of its agent.
var nodeLeaf = testpki.Leaf{CommonName: "system:node:" + nodeName, Groups: []string{"system:nodes"}, Names: []string{nodeName}}

// authorities are the CAs of the example.
type authorities struct{ agents, kubelets, clients *testpki.CA }

// writePKI makes authorities and puts what a control plane has of them into dir.
func writePKI(dir string) authorities {
	a := authorities{must(testpki.NewCA("agents")), must(testpki.NewCA("kubelets")), must(testpki.NewCA("clients"))}
	write(dir+"/agent-ca.crt", a.agents)
	write(dir+"/kubelet-ca.crt", a.kubelets)
	writePair(dir, "tunnel", a.agents, testpki.Leaf{CommonName: "tunnel", Names: []string{"127.0.0.1"}})
	writePair(dir, "apiserver", a.clients, testpki.Leaf{CommonName: "apiserver"})
	return a
}

func write(file string, ca *testpki.CA) { must(0, testpki.WriteFile(file, ca.PEM())) }

func writePair(dir, name string, ca *testpki.CA, l testpki.Leaf) {
	_, _, err := must(ca.Issue(l)).Write(dir, name)
	must(0, err)
}

// node is a node with nothing but a kubelet.
type node struct {
	port  string
	close func()
}

// startNode starts a kubelet that is well and wants to know who asks.
func startNode(a authorities) node {
	healthz := func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }
	kubelet := httptest.NewUnstartedServer(http.HandlerFunc(healthz))
	kubelet.TLS = &tls.Config{
		Certificates: []tls.Certificate{must(must(a.kubelets.Issue(nodeLeaf)).Pair())},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: a.clients.Pool(),
	}
	kubelet.StartTLS()
	_, port, err := net.SplitHostPort(kubelet.Listener.Addr().String())
	return node{port: must(port, err), close: kubelet.Close}
}

// startAgent runs the node's agent, which reaches the node and nothing else.
func startAgent(a authorities, server string) (stop func()) {
	agent := must(konnectivity.NewAgent(konnectivity.AgentConfig{
		ID: nodeName, Identifiers: konnectivity.Identifiers{Hosts: []string{nodeName}}, Servers: []string{server},
		Roots:        transport.StaticRoots(a.agents.Pool()),
		Certificates: transport.StaticCertificate(must(must(a.agents.Issue(nodeLeaf)).Pair())),
		Policy:       must(konnectivity.NewPolicy(konnectivity.PolicyRule{Names: []string{nodeName}, CIDRs: []string{"127.0.0.1/32"}})),
		Resolver:     loopbackNode{},
	}))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { agent.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

// loopbackNode resolves the node's name, which no DNS knows.
type loopbackNode struct{}

func (loopbackNode) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if strings.EqualFold(host, nodeName) {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}
