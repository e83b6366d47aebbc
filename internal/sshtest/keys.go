package sshtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/testkit"
)

// Key is a key pair made for one test.
type Key struct {
	ssh.MultiAlgorithmSigner
	private crypto.PrivateKey
}

// MakeKey makes an ed25519 key.
func MakeKey() (Key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	return wrapKey(private, err)
}

// NewKey is MakeKey for tests.
func NewKey(t testing.TB) Key {
	t.Helper()
	return testkit.Must(MakeKey())(t)
}

// NewECDSAKey makes a key on P-256, for hosts known by more than one type.
func NewECDSAKey(t testing.TB) Key {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return testkit.Must(wrapKey(private, err))(t)
}

func wrapKey(private crypto.PrivateKey, err error) (Key, error) {
	if err != nil {
		return Key{}, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return Key{}, err
	}
	return Key{signer.(ssh.MultiAlgorithmSigner), private}, nil
}

// Text returns the private key in OpenSSH's format, encrypted where there is a
// passphrase.
func (k Key) Text(passphrase string) ([]byte, error) {
	var block *pem.Block
	var err error
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(k.private, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(k.private, "", []byte(passphrase))
	}
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// PEM is Text for tests.
func (k Key) PEM(t testing.TB, passphrase string) []byte {
	t.Helper()
	return testkit.Must(k.Text(passphrase))(t)
}

// Private returns the key as package crypto knows it, for an agent's keyring.
func (k Key) Private() crypto.PrivateKey { return k.private }

// Write stores the private key as name in dir, its public part beside it as
// name.pub, and returns the file's path.
func (k Key) Write(t testing.TB, dir, name string) (path string) {
	t.Helper()
	path = filepath.Join(dir, name)
	WriteFile(t, path, k.PEM(t, ""))
	WriteFile(t, path+".pub", ssh.MarshalAuthorizedKey(k.PublicKey()))
	return path
}

// WriteFile stores data at path for its owner only.
func WriteFile(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// HostCertificate returns key with a certificate of ca for the given hosts.
func HostCertificate(t testing.TB, ca, key ssh.Signer, hosts ...string) ssh.Signer {
	t.Helper()
	return certify(t, ca, key, &ssh.Certificate{CertType: ssh.HostCert, KeyId: "host", ValidPrincipals: hosts})
}

// UserCertificate returns key with a certificate of ca for the given users.
func UserCertificate(t testing.TB, ca, key ssh.Signer, users ...string) ssh.Signer {
	t.Helper()
	return certify(t, ca, key, &ssh.Certificate{
		CertType: ssh.UserCert, KeyId: "user", ValidPrincipals: users,
		// Without it sshd refuses to forward.
		Permissions: ssh.Permissions{Extensions: map[string]string{"permit-port-forwarding": ""}},
	})
}

func certify(t testing.TB, ca, key ssh.Signer, cert *ssh.Certificate) ssh.Signer {
	t.Helper()
	cert.Key = key.PublicKey()
	cert.ValidBefore = ssh.CertTimeInfinity
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}
