package sallyport_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/sallyport/sallyport/direct"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/selector"
	"github.com/sallyport/sallyport/transport"
)

// A control plane reaches its kubelets through the agents that come to it, and
// its etcd directly. The embedding is all in the function embed, and the agent in
// runAgent; the example gives them certificates, one node with a kubelet, and a
// request.
func Example() {
	dir := must(os.MkdirTemp("", "sallyport-example-"))
	defer os.RemoveAll(dir)
	authorities := writePKI(dir) // what the files of a control plane would be
	node := startNode(authorities)
	defer node.close()

	agents, egress, kubelets := embed(dir)
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	var serving sync.WaitGroup
	serving.Go(func() { agents.Serve(context.Background(), listener) })
	defer serving.Wait()
	defer agents.Close()

	stop := startAgent(dir, listener.Addr().String())
	defer stop()
	defer kubelets.CloseIdleConnections() // before the agent stops, which waits for connections
	for deadline := time.Now().Add(10 * time.Second); egress.ReadyClass(selector.Kubelet) != nil; {
		if time.Now().After(deadline) {
			log.Fatal("no agent has come")
		}
		time.Sleep(time.Millisecond)
	}

	resp := must(kubelets.Get("https://" + net.JoinHostPort(nodeName, node.port) + "/healthz"))
	defer resp.Body.Close()
	body := must(io.ReadAll(resp.Body))
	fmt.Println(resp.TLS.PeerCertificates[0].Subject.CommonName, "says", string(body))
	_, err := egress.DialContext(context.Background(), "tcp", "203.0.113.9:443")
	fmt.Println(err)
	// Output:
	// system:node:node-1.nodes.example says ok
	// dial tcp 203.0.113.9:443: select: no route: no rule gives the address a class
}

// embed makes all of it from the files in the directory pki. It starts nothing:
// the caller serves the agents on a listener.
func embed(pki string) (*konnectivity.Server, *selector.Selector, *http.Client) {
	files := transport.FileOptions{Log: slog.Default()}
	agentTLS := must(transport.ServerConfig(transport.ServerOptions{
		Certificates: must(transport.NewKeyPair(pki+"/tunnel.crt", pki+"/tunnel.key", files)),
		ClientRoots:  must(transport.NewCAFile(pki+"/agent-ca.crt", files)),
	}))
	agents := must(konnectivity.NewServer(konnectivity.ServerConfig{TLS: agentTLS, Identity: konnectivity.NodeIdentity()}))
	tunnel, straight := selector.Route{Name: "tunnel", Dialer: agents}, selector.Route{Name: "direct", Dialer: &direct.Dialer{}}
	nodes, etcd := []string{".nodes.example"}, []string{"etcd.example"}
	egress := must(selector.New(selector.Config{
		Rules:  []selector.Rule{{Class: selector.Node, HostSuffixes: nodes}, {Class: selector.Etcd, Hosts: etcd}},
		Routes: map[selector.Class]selector.Route{selector.Kubelet: tunnel, selector.Node: tunnel, selector.Etcd: straight},
	}))
	kubelets := must(transport.New(transport.Config{
		Dialer: egress.For(selector.Kubelet), NodeName: transport.HostAsNode, // For names the class: it needs no rule
		Roots:        must(transport.NewCAFile(pki+"/kubelet-ca.crt", files)),
		Certificates: must(transport.NewKeyPair(pki+"/apiserver.crt", pki+"/apiserver.key", files)),
	}))
	return agents, egress, &http.Client{Transport: must(transport.NewRoundTripper(kubelets, transport.HTTPConfig{}))}
}

// runAgent is the other end, on the node: it reaches the node itself by loopback
// and nothing else. names gives 127.0.0.1 for the node's name; where DNS gives the
// node's own address instead, that is what the policy has to allow.
func runAgent(ctx context.Context, node, server, pki string, names direct.Resolver) error {
	files := transport.FileOptions{Log: slog.Default()}
	agent := must(konnectivity.NewAgent(konnectivity.AgentConfig{
		ID: node, Identifiers: konnectivity.Identifiers{Hosts: []string{node}}, Servers: []string{server},
		Roots:        must(transport.NewCAFile(pki+"/tunnel-ca.crt", files)),
		Certificates: must(transport.NewKeyPair(pki+"/agent.crt", pki+"/agent.key", files)),
		Policy: must(konnectivity.NewPolicy(konnectivity.PolicyRule{
			Names: []string{node}, CIDRs: []string{"127.0.0.1/32"}, // loopback is refused unless a rule names it
		})),
		Resolver: names, // nil asks the system's
		Log:      slog.Default(),
	}))
	return agent.Run(ctx)
}

// must is for programs that end when they cannot start.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
