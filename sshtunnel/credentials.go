package sshtunnel

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
// their keys in memory, in hardware, or be made with ssh.NewCertSigner. Without
// signers [New] fails.
func StaticSigners(signers ...ssh.Signer) Credentials {
	return static(slices.Clone(signers))
}

type static []ssh.Signer

func (s static) Signers(context.Context) ([]ssh.Signer, error) { return s, nil }

func (s static) check() error {
	if len(s) == 0 {
		return errors.New("holds no signer")
	}
	for i, signer := range s {
		if signer == nil {
			return fmt.Errorf("signer %d is nil", i+1)
		}
		if _, err := withoutSHA1(signer); err != nil {
			return err
		}
	}
	return nil
}

// withoutSHA1 returns signer so that it does not fall back to SHA-1, as package
// ssh has an RSA key do where the server does not tell what it knows.
func withoutSHA1(signer ssh.Signer) (ssh.Signer, error) {
	if kind := signer.PublicKey().Type(); kind != ssh.KeyAlgoRSA && kind != ssh.CertAlgoRSAv01 {
		return signer, nil
	}
	var strong []string
	switch s := signer.(type) {
	case ssh.MultiAlgorithmSigner:
		for _, a := range s.Algorithms() {
			if a != ssh.KeyAlgoRSA {
				strong = append(strong, a)
			}
		}
	case ssh.AlgorithmSigner:
		strong = algorithmsOf(ssh.KeyAlgoRSA)
	}
	as, ok := signer.(ssh.AlgorithmSigner)
	if !ok || len(strong) == 0 {
		return nil, errors.New("an RSA key that can sign with SHA-1 alone")
	}
	return ssh.NewSignerWithAlgorithms(as, strong)
}

// collect returns the signers of all of creds. Those that fail are told to
// skipped and left out; it is an error when nothing is left.
func collect(ctx context.Context, creds []Credentials, skipped func(error)) ([]ssh.Signer, error) {
	var all []ssh.Signer
	var failed []error
	skip := func(err error) {
		skipped(err)
		failed = append(failed, err)
	}
	for _, c := range creds {
		signers, err := c.Signers(ctx)
		if err != nil {
			skip(err)
			continue
		}
		for _, s := range signers {
			if s, err = withoutSHA1(s); err != nil {
				skip(err)
				continue
			}
			all = append(all, s)
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	if len(failed) == 0 {
		return nil, errors.New("the credentials hold no key")
	}
	return nil, fmt.Errorf("no credentials: %w", errors.Join(failed...))
}
