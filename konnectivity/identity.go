package konnectivity

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net"

	"github.com/sallyport/sallyport/dialer"
)

// maxAgentID bounds an agent's id in bytes. It has room for any node name.
const maxAgentID = 253

// Peer is the far end of an agent's connection: what is known of it for sure.
type Peer struct {
	// RemoteAddr is the address the connection came from. It says little about
	// an agent, which may sit behind a load balancer.
	RemoteAddr net.Addr
	// TLS is the state of the finished handshake. The zero value is a
	// connection without TLS. Where the server has Tokens, the peer may have shown
	// no certificate: look at VerifiedChains.
	TLS tls.ConnectionState
	// User is whom the peer's token is for. Nil means that it showed none.
	User *User
}

// Claim is what an agent says of itself when it connects. The agent is not
// trusted: an [Identity] decides whether it may say so. The server hands only
// well-formed claims to an Identity, in canonical form.
type Claim struct {
	// AgentID names the agent, not its session: an agent may hold several.
	AgentID string
	// Identifiers are the destinations it wants to be picked for.
	Identifiers Identifiers
}

// An Identity binds what an agent may claim to the credential it showed.
type Identity interface {
	// Authorize returns nil if p may claim all of c, and otherwise an error that
	// wraps [dialer.ErrDenied]. An agent is admitted with its whole claim or not
	// at all. It is called once per session, before the session can be picked,
	// from many goroutines, and must return when ctx is done.
	Authorize(ctx context.Context, p Peer, c Claim) error
}

// IdentityFunc is a function as an [Identity].
type IdentityFunc func(ctx context.Context, p Peer, c Claim) error

// Authorize calls f. A nil f denies every claim.
func (f IdentityFunc) Authorize(ctx context.Context, p Peer, c Claim) error {
	if f == nil {
		return fmt.Errorf("%w: there is no identity rule", dialer.ErrDenied)
	}
	return f(ctx, p, c)
}

// canonical returns c in the form that compares, or says what is malformed. The
// error wraps dialer.ErrDenied: nobody may claim a malformed thing.
func (c Claim) canonical() (Claim, error) {
	if err := checkAgentID(c.AgentID); err != nil {
		return Claim{}, fmt.Errorf("%w: agent id %.260q: %w", dialer.ErrDenied, c.AgentID, err)
	}
	ids, err := c.Identifiers.Canonical()
	if err != nil {
		return Claim{}, fmt.Errorf("%w: agent %s: %w", dialer.ErrDenied, c.AgentID, err)
	}
	return Claim{AgentID: c.AgentID, Identifiers: ids}, nil
}

// checkAgentID lets through what is safe in a header, a log line and a metric:
// visible ASCII. Ids are compared byte for byte, so two that look the same to a
// person must not differ.
func checkAgentID(id string) error {
	if id == "" {
		return errors.New("empty; every agent has an id")
	}
	if len(id) > maxAgentID {
		return fmt.Errorf("%d bytes long; at most %d are allowed", len(id), maxAgentID)
	}
	for _, r := range id {
		if r <= ' ' || r > '~' {
			return fmt.Errorf("%q in it; want visible ASCII characters", r)
		}
	}
	return nil
}

// verifiedLeaf returns the certificate the far end proved to own, and that one
// alone: what else a chain carries is no statement about this peer. PeerCertificates
// is not looked at, because it is filled in without verification, too.
func verifiedLeaf(s tls.ConnectionState) (*x509.Certificate, error) {
	switch {
	case !s.HandshakeComplete:
		return nil, fmt.Errorf("%w: no finished TLS handshake", dialer.ErrDenied)
	case len(s.VerifiedChains) == 0 || len(s.VerifiedChains[0]) == 0 || s.VerifiedChains[0][0] == nil:
		return nil, errNoCertificate
	}
	leaf := s.VerifiedChains[0][0]
	if n := commonNames(leaf); n > 1 {
		// crypto/x509 reports the last of them, others the first: whoever signed it
		// may have looked at another one than we would.
		return nil, fmt.Errorf("%w: the certificate has %d common names", dialer.ErrDenied, n)
	}
	return leaf, nil
}

// commonNames counts the common names in leaf's subject.
func commonNames(leaf *x509.Certificate) (n int) {
	for _, name := range leaf.Subject.Names {
		if name.Type.Equal(oidCommonName()) {
			n++
		}
	}
	return n
}

func oidCommonName() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, 3} }

// describeLeaf names a certificate for an error, by its first URI if it has no
// subject, as SPIFFE's may.
func describeLeaf(leaf *x509.Certificate) string {
	if s := leaf.Subject.String(); s != "" || len(leaf.URIs) == 0 {
		return s
	}
	return leaf.URIs[0].String()
}
