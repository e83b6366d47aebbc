// Package inprocess is the road of a program that embeds the library: the server
// of the tunnel is in the process that dials, and there is no front end.
package inprocess

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/sallyport/sallyport/konnectivity"
	"github.com/sallyport/sallyport/transport"
)

// agentPatience bounds the wait for the agent. It is longer than an agent's
// longest wait before it tries a lost server again.
const agentPatience = 15 * time.Second

// Files names PEM files: the authority of the agents, and the server's own
// certificate with its key. All are required.
type Files struct{ CA, Cert, Key string }

// Serve serves agents on the address listen, host:port, for as long as the process
// lives, and returns the server once an agent is there. An agent may claim the
// default route and nothing else.
func Serve(listen string, files Files) (*konnectivity.Server, error) {
	cfg, err := files.config()
	if err != nil {
		return nil, err
	}
	identity, err := konnectivity.NewIdentity(konnectivity.IdentityRule{
		CommonName: "*", AgentIDs: []string{"*"}, DefaultRoute: true,
	})
	if err != nil {
		return nil, err
	}
	server, err := konnectivity.NewServer(konnectivity.ServerConfig{TLS: cfg, Identity: identity})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(context.Background(), ln) }()
	ctx, cancel := context.WithTimeout(context.Background(), agentPatience)
	defer cancel()
	if err := server.WaitReady(ctx); err != nil {
		server.Close()
		return nil, errors.Join(fmt.Errorf("no agent came to %s: %w", listen, err), <-served)
	}
	return server, nil
}

func (f Files) config() (*tls.Config, error) {
	pem, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", f.CA)
	}
	pair, err := transport.NewKeyPair(f.Cert, f.Key, transport.FileOptions{})
	if err != nil {
		return nil, err
	}
	return transport.ServerConfig(transport.ServerOptions{Certificates: pair, ClientRoots: transport.StaticRoots(pool)})
}
