package sshtunnel

import (
	"context"

	"golang.org/x/crypto/ssh"
)

// Credentials are what a client proves itself with. Implementations are safe for
// concurrent use.
type Credentials interface {
	// Signers returns the keys to offer, in order. It is called once for each
	// handshake, after the server has proved itself. ctx ends with the
	// handshake; the signers are not used after it. RSA keys must be
	// ssh.AlgorithmSigners: they never sign with SHA-1.
	Signers(ctx context.Context) ([]ssh.Signer, error)
}

// StaticSigners returns Credentials that always offer signers, which may hold
// their keys in memory, in hardware, or be made with ssh.NewCertSigner.
func StaticSigners(signers ...ssh.Signer) Credentials { return nil }

// AgentSocket returns Credentials that offer the keys of the agent at path, a
// unix socket such as SSH_AUTH_SOCK names. The agent is asked anew at each
// handshake.
func AgentSocket(path string) Credentials { return nil }
