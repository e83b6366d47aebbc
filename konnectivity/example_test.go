package konnectivity_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/transport"
)

// The control plane's end: agents come in on a listener, dials go out through
// them, and Shutdown lets the connections end.
func ExampleNewServer() {
	pki := writeServerPKI() // tunnel.crt, tunnel.key and agent-ca.crt
	defer os.RemoveAll(pki)

	files := transport.FileOptions{Log: slog.Default()}
	agentTLS := must(transport.ServerConfig(transport.ServerOptions{
		Certificates: must(transport.NewKeyPair(pki+"/tunnel.crt", pki+"/tunnel.key", files)),
		ClientRoots:  must(transport.NewCAFile(pki+"/agent-ca.crt", files)),
	}))
	server := must(konnectivity.NewServer(konnectivity.ServerConfig{
		TLS:      agentTLS,
		Identity: konnectivity.NodeIdentity(),
	}))
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), listener) }()

	_, err := server.DialContext(context.Background(), "tcp", "node-1:10250")
	fmt.Println(err)

	// The context of Serve would cut all connections when it ends; Shutdown waits
	// for them.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(server.Shutdown(ctx), errors.Is(<-served, konnectivity.ErrServerClosed))
	// Output:
	// dial tcp node-1:10250: agent: no route: no agent for "node-1": none is connected
	// <nil> true
}

// The whole of an agent's main: it serves its node's kubelet until it is told to
// end, and then lets the open connections go on for a while.
func ExampleNewAgent() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	const node, pki = "node-1", "/etc/sallyport"
	files := transport.FileOptions{Log: slog.Default()}
	agent := must(konnectivity.NewAgent(konnectivity.AgentConfig{
		ID:           node,
		Identifiers:  konnectivity.Identifiers{Hosts: []string{node}},
		Servers:      []string{"tunnel.example:8091"},
		Roots:        must(transport.NewCAFile(pki+"/tunnel-ca.crt", files)),
		Certificates: must(transport.NewKeyPair(pki+"/agent.crt", pki+"/agent.key", files)),
		Policy: must(konnectivity.NewPolicy(konnectivity.PolicyRule{
			Names: []string{node}, CIDRs: []string{"10.0.0.0/16"}, Ports: []string{"10250"},
		})),
		Log: slog.Default(),
	}))
	log.Print(agent.Run(ctx)) // why it ended
}

// Agents on nodes claim their own node; a gateway's agent claims the networks of
// pods and services besides, by a rule of its own.
func ExampleNewIdentity() {
	identity := clusterIdentity()
	node := certificate("system:node:node-1", "system:nodes")
	gateway := certificate("gateway-1", "gateways")
	pods := konnectivity.Identifiers{CIDRs: []netip.Prefix{netip.MustParsePrefix("10.244.7.0/24")}}
	for _, c := range []struct {
		peer  konnectivity.Peer
		claim konnectivity.Claim
	}{
		{node, konnectivity.Claim{AgentID: "node-1", Identifiers: konnectivity.Identifiers{Hosts: []string{"node-1"}}}},
		{node, konnectivity.Claim{AgentID: "node-1", Identifiers: konnectivity.Identifiers{Hosts: []string{"node-2"}}}},
		{node, konnectivity.Claim{AgentID: "node-1", Identifiers: pods}},
		{gateway, konnectivity.Claim{AgentID: "gateway-1", Identifiers: pods}},
		{gateway, konnectivity.Claim{AgentID: "gateway-1", Identifiers: konnectivity.Identifiers{DefaultRoute: true}}},
	} {
		err := identity.Authorize(context.Background(), c.peer, c.claim)
		fmt.Printf("%s claims %s: denied %v\n", c.claim.AgentID, c.claim.Identifiers, errors.Is(err, dialer.ErrDenied))
	}
	// Output:
	// node-1 claims host=node-1: denied false
	// node-1 claims host=node-2: denied true
	// node-1 claims cidr=10.244.7.0%2F24: denied true
	// gateway-1 claims cidr=10.244.7.0%2F24: denied false
	// gateway-1 claims default-route=true: denied true
}

// clusterIdentity admits nodes as NodeIdentity does, and gateways to the pods.
func clusterIdentity() konnectivity.Identity {
	return must(konnectivity.NewIdentity(
		konnectivity.NodeRule(),
		konnectivity.IdentityRule{
			CommonName: "gateway-*", Group: "gateways",
			AgentIDs: []string{"gateway-{name}"},
			CIDRs:    []string{"10.244.0.0/16"},       // it may claim the pods, or some of them,
			Hosts:    []string{"*.svc.cluster.local"}, // and services, each by its name
		},
	))
}

// certificate is a peer that has shown and proved a certificate of that subject.
func certificate(commonName, organization string) konnectivity.Peer {
	leaf := &x509.Certificate{Subject: pkix.Name{CommonName: commonName, Organization: []string{organization}}}
	return konnectivity.Peer{TLS: tls.ConnectionState{
		HandshakeComplete: true, VerifiedChains: [][]*x509.Certificate{{leaf}},
	}}
}

// writeServerPKI puts what a server needs into a new directory.
func writeServerPKI() (dir string) {
	dir = must(os.MkdirTemp("", "sallyport-example-"))
	agents, tunnels := must(testpki.NewCA("agents")), must(testpki.NewCA("tunnels"))
	must(0, testpki.WriteFile(dir+"/agent-ca.crt", agents.PEM()))
	_, _, err := must(tunnels.Issue(testpki.Leaf{CommonName: "tunnel", Names: []string{"tunnel.example"}})).Write(dir, "tunnel")
	return must(dir, err)
}

// must is for programs that end when they cannot start.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
