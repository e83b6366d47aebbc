package sallyport_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"

	"github.com/sallyport/sallyport/internal/testpki"
)

// nodeName is the one node of the example.
const nodeName = "node-1.nodes.example"

// nodeLeaf is the certificate of the node's kubelet.
var nodeLeaf = testpki.Leaf{
	CommonName: "system:node:" + nodeName, Groups: []string{"system:nodes"}, Names: []string{nodeName},
	Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
}

// authorities are the CAs that the kubelet of the example knows.
type authorities struct{ kubelets, clients *testpki.CA }

// writePKI makes the authorities and puts what a control plane and an agent have
// of them into dir.
func writePKI(dir string) authorities {
	tunnels, agents := must(testpki.NewCA("tunnels")), must(testpki.NewCA("agents"))
	a := authorities{must(testpki.NewCA("kubelets")), must(testpki.NewCA("clients"))}
	write(dir+"/tunnel-ca.crt", tunnels)
	write(dir+"/agent-ca.crt", agents)
	write(dir+"/kubelet-ca.crt", a.kubelets)
	client := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	writePair(dir, "tunnel", tunnels, testpki.Leaf{CommonName: "tunnel", Names: []string{"127.0.0.1"}, Usages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	writePair(dir, "agent", agents, testpki.Leaf{CommonName: nodeLeaf.CommonName, Groups: nodeLeaf.Groups, Usages: client})
	writePair(dir, "apiserver", a.clients, testpki.Leaf{CommonName: "apiserver", Usages: client})
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

// startAgent runs the node's agent in the background.
func startAgent(pki, server string) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { runAgent(ctx, nodeName, server, pki, loopbackNode{}) })
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
