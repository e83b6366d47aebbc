package sshtunnel

import (
	"context"

	"golang.org/x/crypto/ssh"
)

// KeyFile is a private key that follows its file. It implements [Credentials],
// starts no goroutine and needs no Close.
type KeyFile struct{}

// KeyFileOptions says what belongs to a key. The zero value is for an
// unencrypted key without certificate.
type KeyFileOptions struct {
	FileOptions
	// Passphrase returns the passphrase of an encrypted key. It is called when
	// the file is read, and what it returns is wiped after use. Nil means that
	// the key is not encrypted.
	Passphrase func(file string) ([]byte, error)
	// Certificate is the file with the user certificate for the key, as
	// ssh-keygen writes it to NAME-cert.pub. It is followed as the key is, and
	// offered in its place. Empty means none.
	Certificate string
}

// NewKeyFile reads a private key of OpenSSH's or a PEM format.
func NewKeyFile(file string, opts KeyFileOptions) (*KeyFile, error) { return nil, nil }

// Signers returns the key, or its certificate.
func (k *KeyFile) Signers(context.Context) ([]ssh.Signer, error) { return nil, nil }
