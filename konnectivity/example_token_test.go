package konnectivity_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/transport"
)

// An agent that shows a token in place of a certificate, as a pod does with that of
// its service account. It is pinned to one protocol, too.
func ExampleTokenFile() {
	pki := writeTokenPKI() // tunnel.crt, tunnel.key, tunnel-ca.crt and token
	defer os.RemoveAll(pki)
	ctx, cancel := context.WithCancel(context.Background())
	files := transport.FileOptions{}

	pair := must(transport.NewKeyPair(pki+"/tunnel.crt", pki+"/tunnel.key", files))
	server := must(konnectivity.NewServer(konnectivity.ServerConfig{
		TLS: &tls.Config{GetCertificate: pair.GetCertificate, MinVersion: tls.VersionTLS13},
		Tokens: konnectivity.TokenAuthenticatorFunc(func(_ context.Context, token string) (konnectivity.User, error) {
			if token != "token-of-edge" { // mostly a TokenReview
				return konnectivity.User{}, fmt.Errorf("%w: unknown token", dialer.ErrDenied)
			}
			return konnectivity.User{Name: "system:serviceaccount:tunnel:edge"}, nil
		}),
		Identity: must(konnectivity.NewIdentity(konnectivity.IdentityRule{
			User:     "system:serviceaccount:tunnel:*",
			AgentIDs: []string{"{name}"}, Hosts: []string{"{name}.example"},
		})),
	}))
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	go server.Serve(ctx, listener)

	agent := must(konnectivity.NewAgent(konnectivity.AgentConfig{
		ID:          "edge",
		Identifiers: konnectivity.Identifiers{Hosts: []string{"edge.example"}},
		Servers:     []string{listener.Addr().String()}, ServerName: "tunnel.example",
		Roots:     must(transport.NewCAFile(pki+"/tunnel-ca.crt", files)),
		Token:     konnectivity.TokenFile(pki + "/token"),
		Policy:    must(konnectivity.NewPolicy(konnectivity.PolicyRule{Names: []string{"edge.example"}, Ports: []string{"443"}})),
		Protocols: []konnectivity.Protocol{konnectivity.ProtocolGRPC},
	}))
	ran := make(chan error, 1)
	go func() { ran <- agent.Run(ctx) }()

	waiting, enough := context.WithTimeout(ctx, 10*time.Second)
	defer enough()
	must(0, server.WaitReady(waiting))
	for _, a := range server.Agents() {
		fmt.Println(a.ID, a.User, a.Protocol == konnectivity.ProtocolGRPC)
	}
	cancel()
	<-ran
	server.Close()
	// Output:
	// edge system:serviceaccount:tunnel:edge true
}

// writeTokenPKI puts what a server and an agent with a token need into a new
// directory.
func writeTokenPKI() (dir string) {
	dir = must(os.MkdirTemp("", "sallyport-example-"))
	tunnels := must(testpki.NewCA("tunnels"))
	must(0, testpki.WriteFile(dir+"/tunnel-ca.crt", tunnels.PEM()))
	must(0, testpki.WriteFile(dir+"/token", []byte("token-of-edge\n")))
	_, _, err := must(tunnels.Issue(testpki.Leaf{CommonName: "tunnel", Names: []string{"tunnel.example"}})).Write(dir, "tunnel")
	return must(dir, err)
}
