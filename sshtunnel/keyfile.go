package sshtunnel

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/reload"
)

// Bounds of key files.
const (
	maxKeyFile = 1 << 20
	minRSABits = 2048
)

// KeyFile is a private key that follows its file. It implements [Credentials],
// starts no goroutine and needs no Close. It is safe for concurrent use.
//
// A certificate and its key may be replaced one after the other: until both
// belong together, the last good pair stays. An expired certificate is taken;
// the server refuses it.
type KeyFile struct {
	file, certificate string
	passphrase        func(file string) ([]byte, error)
	signer            *reload.Value[ssh.Signer]
}

// KeyFileOptions says what belongs to a key. The zero value is for an
// unencrypted key without certificate.
type KeyFileOptions struct {
	FileOptions
	// Passphrase returns the passphrase of an encrypted key. It is called when
	// the key is read, and what it returns is wiped after use. It should be quick:
	// a handshake waits for it, and it is given no context. Nil means that the
	// key is not encrypted.
	Passphrase func(file string) ([]byte, error)
	// Certificate is the file with the user certificate for the key, as
	// ssh-keygen writes it to NAME-cert.pub. It is followed as the key is, and
	// offered in its place. Empty means none.
	Certificate string
}

// NewKeyFile reads a private key of OpenSSH's format or of PEM: PKCS #1, PKCS #8
// without passphrase, or SEC 1. RSA keys have at least 2048 bits, DSA keys are
// refused, and a file has at most 1 MiB. The error names the file that cannot be
// used and nothing of what is in it. The files are followed as opts says: changes
// count at the next handshake, and a file that cannot be used keeps the last good
// key.
func NewKeyFile(file string, opts KeyFileOptions) (*KeyFile, error) {
	k := &KeyFile{file: file, certificate: opts.Certificate, passphrase: opts.Passphrase}
	files := []string{file}
	if k.certificate != "" {
		files = append(files, k.certificate)
	}
	v, err := reload.New(files, maxKeyFile, k.parse, opts.FileOptions)
	if err != nil {
		return nil, fmt.Errorf("sshtunnel: key %w", err)
	}
	k.signer = v
	return k, nil
}

// Signers returns the key, or its certificate, as of at most
// [FileOptions.Recheck] ago.
func (k *KeyFile) Signers(context.Context) ([]ssh.Signer, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	return []ssh.Signer{k.signer.Get()}, nil
}

// check finds the KeyFile that NewKeyFile has not made.
func (k *KeyFile) check() error {
	if k == nil || k.signer == nil {
		return errors.New("sshtunnel: this KeyFile was not made by NewKeyFile")
	}
	return nil
}

// parse makes the signer. data is the key and, where there is one, the
// certificate.
func (k *KeyFile) parse(data [][]byte) (ssh.Signer, error) {
	signer, err := k.parseKey(data[0])
	if err != nil {
		return nil, &FileError{File: k.file, Err: err}
	}
	if k.certificate == "" {
		return signer, nil
	}
	if signer, err = certify(signer, data[1], k.file); err != nil {
		return nil, &FileError{File: k.certificate, Err: err}
	}
	return signer, nil
}

func (k *KeyFile) parseKey(data []byte) (ssh.Signer, error) {
	key, err := ssh.ParseRawPrivateKey(data)
	if _, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
		key, err = k.decrypt(data)
		if err != nil {
			return nil, err
		}
	}
	if err != nil {
		// The words of the parsers may quote what they have read.
		return nil, errors.New("holds no private key in a format that is known")
	}
	if r, ok := key.(*rsa.PrivateKey); ok && r.N.BitLen() < minRSABits {
		return nil, fmt.Errorf("an RSA key of %d bits: want at least %d", r.N.BitLen(), minRSABits)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil || !knownType(signer.PublicKey().Type()) {
		return nil, errors.New("a type of key that is not supported")
	}
	return withoutSHA1(signer)
}

// decrypt parses an encrypted key.
func (k *KeyFile) decrypt(data []byte) (any, error) {
	if k.passphrase == nil {
		return nil, errors.New("is encrypted, and there is no KeyFileOptions.Passphrase")
	}
	passphrase, err := k.passphrase(k.file)
	if err != nil {
		return nil, fmt.Errorf("no passphrase: %w", err)
	}
	defer clear(passphrase)
	key, err := ssh.ParseRawPrivateKeyWithPassphrase(data, passphrase)
	if err != nil {
		return nil, errors.New("is encrypted, and the passphrase does not open it")
	}
	return key, nil
}

// certify returns signer with the certificate in data.
func certify(signer ssh.Signer, data []byte, keyFile string) (ssh.Signer, error) {
	public, _, _, _, err := ssh.ParseAuthorizedKey(data)
	if err != nil {
		return nil, errors.New("holds no certificate")
	}
	cert, ok := public.(*ssh.Certificate)
	switch {
	case !ok:
		return nil, errors.New("holds a public key and no certificate")
	case cert.CertType != ssh.UserCert:
		return nil, errors.New("holds a certificate that is not for users")
	}
	certified, err := ssh.NewCertSigner(cert, signer)
	if err != nil {
		return nil, fmt.Errorf("does not belong to the private key in %s", keyFile)
	}
	return certified, nil
}
