package world

import (
	"context"
	"net"
	"time"

	"github.com/sallyport/sallyport/konnectivity"
)

// Server is a server with its listener.
type Server struct {
	*konnectivity.Server
	Addr string
	done chan struct{}
}

// NewServer serves agents on a port of its own until Close.
func NewServer(pki PKI) (*Server, error) {
	cfg, err := pki.serverTLS()
	if err != nil {
		return nil, err
	}
	identity, err := konnectivity.NewIdentity(konnectivity.IdentityRule{
		CommonName: "agent", AgentIDs: []string{"*"}, Hosts: []string{"*"},
	})
	if err != nil {
		return nil, err
	}
	server, err := konnectivity.NewServer(konnectivity.ServerConfig{TLS: cfg, Identity: identity})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{Server: server, Addr: ln.Addr().String(), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		server.Serve(context.Background(), ln)
	}()
	return s, nil
}

// Close ends the server with its tunnels.
func (s *Server) Close() {
	s.Server.Close()
	<-s.done
}

// WaitAgents waits until n agents are connected, and returns ctx's error when it
// ends first.
func (s *Server) WaitAgents(ctx context.Context, n int) error {
	for len(s.Agents()) < n {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
