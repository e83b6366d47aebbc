package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/direct"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/record"
	"github.com/sallyport/sallyport/transport"
)

// makeCarrier builds the road to the servers: verified TLS over the given dialer.
func (a *Agent) makeCarrier() error {
	under := a.cfg.Dialer
	if under == nil {
		under = &direct.Dialer{}
	}
	cfg := transport.Config{
		Dialer: underTLS{under}, Roots: a.cfg.Roots, Certificates: a.cfg.Certificates,
		NextProtos: a.speaks.alpn(true), MinVersion: tls.VersionTLS13,
		HandshakeTimeout: a.cfg.handshakeTimeout(),
	}
	if a.speaks.grpc != "" {
		cfg.MinVersion = tls.VersionTLS12 // upstream's servers may be held to that
	}
	if name := a.cfg.ServerName; name != "" {
		cfg.ServerName = func(string) string { return name }
	}
	d, err := transport.New(cfg)
	if err != nil {
		return err
	}
	a.carrier = d
	return nil
}

// underTLS dials for TLS to be put on top, and is its Dialer in all else.
type underTLS struct{ dialer.Dialer }

// DialContext dials.
func (u underTLS) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := u.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return record.Under(c), nil
}

// Ready asks the Dialer.
func (u underTLS) Ready() error { return dialer.Ready(u.Dialer) }

// Describe asks the Dialer.
func (u underTLS) Describe(ctx context.Context, network, address string) dialer.Attempt {
	return dialer.Describe(ctx, u.Dialer, network, address)
}

// hello returns what to say to a server now.
func (a *Agent) hello(ctx context.Context) (message.Hello, error) {
	h := message.Hello{
		AgentID: a.cfg.ID, Instance: a.instance, Identifiers: a.cfg.Identifiers.String(), Software: software,
	}
	if a.cfg.Token == nil {
		return h, nil
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.handshakeTimeout())
	defer cancel()
	token, err := a.cfg.Token.Token(ctx)
	if err == nil {
		err = checkToken(token)
	}
	if err != nil {
		return h, fmt.Errorf("token: %w", err)
	}
	h.Token = token
	return h, nil
}

// connect reaches the server and ends with a verified TLS connection that speaks
// one of our protocols.
func (k *keeper) connect(ctx context.Context) (*tls.Conn, Protocol, error) {
	ctx, cancel := context.WithTimeout(ctx, k.agent.cfg.handshakeTimeout())
	defer cancel()
	conn, err := k.agent.carrier.DialContext(ctx, "tcp", k.server)
	if err != nil {
		return nil, "", k.unreached(err)
	}
	tc, ok := conn.(*tls.Conn)
	if !ok {
		conn.Close()
		return nil, "", fmt.Errorf("server %s: the connection is a %T, not TLS", k.server, conn)
	}
	protocol, err := k.agent.speaks.chosen(tc.ConnectionState())
	if err != nil {
		conn.Close()
		return nil, "", fmt.Errorf("server %s: %w", k.server, err)
	}
	return tc, protocol, nil
}

// unreached names the hop of a dial to a server: for the agent's targets the
// server is a proxy, not a target.
func (k *keeper) unreached(err error) error {
	de, ok := errors.AsType[*dialer.Error](err)
	switch {
	case !ok:
		return err
	case de.At(dialer.HopTLS):
		told := *de
		told.Err = noCommonProtocol(de.Err, k.agent.speaks.alpn(true), wrongPort)
		return &told
	}
	return &dialer.Error{Hop: dialer.HopProxy, Network: "tcp", Address: k.server, Err: withoutRoad(de.Err, k.server)}
}

// wrongPort is why an agent and a server may have no protocol in common.
const wrongPort = "is one end pinned, or is this not the agents' port?"

// rejected explains the alert of a server that did not like our certificate. With
// TLS 1.3 it arrives after the handshake, in place of the first answer.
func (a *Agent) rejected(err error) error {
	op, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok || op.Op != "remote error":
		return err
	case a.cfg.Certificates == nil:
		return fmt.Errorf("the server wants a client certificate, which this agent has not: %w", err)
	}
	return fmt.Errorf("the server rejected our certificate; its log says why: %w", err)
}
