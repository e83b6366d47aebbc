package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/record"
)

// needsCertificate and needsToken say what every agent must show. Where an agent
// may choose, neither is true.
func (s *Server) needsCertificate() bool {
	return s.cfg.Tokens == nil || s.cfg.TLS.ClientAuth == tls.RequireAndVerifyClientCert
}

func (s *Server) needsToken() bool {
	return s.cfg.Tokens != nil && s.cfg.TLS.ClientAuth == tls.RequireAndVerifyClientCert
}

// errUnverified is for handshakes under a configuration that somebody's hook has
// made, for all others are checked when the server is.
var errUnverified = errors.New("no client certificate was asked for and verified: the TLS configuration of this handshake must have ClientAuth RequireAndVerifyClientCert")

// handshake meets an agent and returns the protocol it has chosen.
func (s *Server) handshake(ctx context.Context, conn net.Conn) (*tls.Conn, Protocol, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.handshakeTimeout())
	defer cancel()
	tc := tls.Server(record.Under(conn), s.tls)
	if err := tc.HandshakeContext(ctx); err != nil {
		return nil, "", err
	}
	state := tc.ConnectionState()
	protocol, err := s.speaks.chosen(state)
	if err != nil {
		return nil, "", err
	}
	// Every agent is held to what ServerConfig.TLS promises, whatever a
	// GetConfigForClient has made of it.
	if s.needsCertificate() && len(state.VerifiedChains) == 0 {
		return nil, "", errUnverified
	}
	return tc, protocol, nil
}

// authenticate finds out whom the agent's token is for; nil where there is none
// and none is needed. The status goes with the error.
func (s *Server) authenticate(ctx context.Context, p Peer, token string) (*User, message.Status, error) {
	certified := len(p.TLS.VerifiedChains) > 0
	switch {
	case s.cfg.Tokens == nil:
		return nil, message.OK, nil
	case token == "" && s.needsToken():
		return nil, message.Unauthenticated, errors.New("no token: this server wants one beside the client certificate")
	case token == "" && certified:
		return nil, message.OK, nil
	case token == "":
		return nil, message.Unauthenticated, errors.New("no credential: this server wants a token or a client certificate")
	}
	if err := checkToken(token); err != nil {
		return nil, message.Unauthenticated, fmt.Errorf("malformed token: %w", err)
	}
	user, err := s.cfg.Tokens.AuthenticateToken(ctx, token)
	switch {
	case errors.Is(err, dialer.ErrDenied):
		return nil, message.Unauthenticated, fmt.Errorf("the token was not accepted: %w", redact(err, token))
	case err != nil:
		return nil, message.Unavailable, &uncheckedError{why: redact(err, token)}
	case user.Name == "":
		return nil, message.Unauthenticated, errors.New("the token was not accepted: its user has no name")
	}
	return &user, message.OK, nil
}

// uncheckedError is about a token that could not be checked. Why not is for the
// log: whoever brought the token has proved nothing yet, and would learn from it
// how this server is made.
type uncheckedError struct{ why error }

func (*uncheckedError) Error() string { return "the token could not be checked now" }

// redact returns err without the token, should somebody have put it there. What
// err is to errors.Is stays.
func redact(err error, token string) error {
	if token == "" || !strings.Contains(err.Error(), token) {
		return err
	}
	return &redacted{text: strings.ReplaceAll(err.Error(), token, "[token]"), err: err}
}

// redacted does not unwrap, so that nobody finds the words of its cause.
type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string        { return r.text }
func (r *redacted) Is(target error) bool { return errors.Is(r.err, target) }
