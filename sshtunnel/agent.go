package sshtunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// AgentSocket returns Credentials that offer the keys of the agent at path, a
// unix socket such as SSH_AUTH_SOCK names. The agent is asked anew at each
// handshake, and connected to for each question, so that none outlives the
// handshake. With an empty path [New] fails.
func AgentSocket(path string) Credentials { return agentSocket(path) }

type agentSocket string

func (a agentSocket) check() error {
	if a == "" {
		return errors.New("the path of the agent's socket is empty")
	}
	return nil
}

// Signers returns the agent's keys, in its order.
func (a agentSocket) Signers(ctx context.Context) ([]ssh.Signer, error) {
	var signers []ssh.Signer
	err := a.ask(ctx, func(c agent.ExtendedAgent) error {
		keys, err := c.List()
		for _, key := range keys {
			public, err := ssh.ParsePublicKey(key.Blob)
			if err != nil {
				continue // a type of key that package ssh does not know
			}
			signers = append(signers, &agentSigner{ctx: ctx, agent: a, public: public})
		}
		return err
	})
	return signers, err
}

// ask calls f with a connection to the agent, which ends with ctx.
func (a agentSocket) ask(ctx context.Context, f func(agent.ExtendedAgent) error) error {
	c, err := new(net.Dialer).DialContext(ctx, "unix", string(a))
	if err != nil {
		// In words alone: what the agent's socket refuses or forbids is not what
		// became of the destination.
		return fmt.Errorf("agent: %s", err)
	}
	defer c.Close()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	if err := f(agent.NewClient(c)); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("agent %s: %w", string(a), context.Cause(ctx))
		}
		return fmt.Errorf("agent %s: %s", string(a), err)
	}
	return nil
}

// agentSigner is a key that an agent holds, for one handshake.
type agentSigner struct {
	ctx    context.Context // the handshake's
	agent  agentSocket
	public ssh.PublicKey
}

func (s *agentSigner) PublicKey() ssh.PublicKey { return s.public }

func (s *agentSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm asks the agent, which answers once its owner has agreed.
func (s *agentSigner) SignWithAlgorithm(_ io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	var flags agent.SignatureFlags
	switch algorithm {
	case ssh.KeyAlgoRSASHA256:
		flags = agent.SignatureFlagRsaSha256
	case ssh.KeyAlgoRSASHA512:
		flags = agent.SignatureFlagRsaSha512
	}
	var sig *ssh.Signature
	err := s.agent.ask(s.ctx, func(c agent.ExtendedAgent) (err error) {
		sig, err = c.SignWithFlags(s.public, data, flags)
		return err
	})
	return sig, err
}
