package sshtunnel

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/sshtest"
)

func rsaKey(t testing.TB, bits int) ssh.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// written writes a key in the format of its block and returns the file.
func written(t testing.TB, block *pem.Block, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "id")
	sshtest.WriteFile(t, file, pem.EncodeToMemory(block))
	return file
}

func der(kind string) func(b []byte, err error) (*pem.Block, error) {
	return func(b []byte, err error) (*pem.Block, error) { return &pem.Block{Type: kind, Bytes: b}, err }
}

func TestKeyFileFormats(t *testing.T) {
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	type made struct {
		block *pem.Block
		err   error
	}
	of := func(b *pem.Block, err error) made { return made{b, err} }
	for name, tt := range map[string]struct {
		made
		kind string
	}{
		"OpenSSH ed25519": {of(ssh.MarshalPrivateKey(ed, "comment")), ssh.KeyAlgoED25519},
		"OpenSSH ecdsa":   {of(ssh.MarshalPrivateKey(ec, "")), ssh.KeyAlgoECDSA384},
		"OpenSSH rsa":     {of(ssh.MarshalPrivateKey(r, "")), ssh.KeyAlgoRSA},
		"PKCS8 ed25519":   {of(der("PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(ed))), ssh.KeyAlgoED25519},
		"PKCS8 rsa":       {of(der("PRIVATE KEY")(x509.MarshalPKCS8PrivateKey(r))), ssh.KeyAlgoRSA},
		"PKCS1":           {of(der("RSA PRIVATE KEY")(x509.MarshalPKCS1PrivateKey(r), nil)), ssh.KeyAlgoRSA},
		"SEC1":            {of(der("EC PRIVATE KEY")(x509.MarshalECPrivateKey(ec))), ssh.KeyAlgoECDSA384},
	} {
		k, err := NewKeyFile(written(t, tt.block, tt.err), KeyFileOptions{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		signers, err := k.Signers(t.Context())
		if err != nil || len(signers) != 1 || signers[0].PublicKey().Type() != tt.kind {
			t.Errorf("%s: %v, %v", name, signers, err)
		}
	}
}

func TestKeyFileRefuses(t *testing.T) {
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := os.ReadFile(filepath.Join("testdata", "encrypted"))
	if err != nil {
		t.Fatal(err)
	}
	plain := sshtest.NewKey(t)
	secret := "the secret content"
	for name, tt := range map[string]struct {
		content []byte
		words   string
	}{
		"nothing":                               {nil, "no private key"},
		"garbage":                               {[]byte(secret), "no private key"},
		"a damaged key":                         {plain.PEM(t, "")[:100], "no private key"},
		"a public key":                          {ssh.MarshalAuthorizedKey(plain.PublicKey()), "no private key"},
		"a weak key":                            {pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(small)}), "1024 bits"},
		"an encrypted key without a passphrase": {encrypted, "Passphrase"},
	} {
		file := filepath.Join(t.TempDir(), "id")
		sshtest.WriteFile(t, file, tt.content)
		_, err := NewKeyFile(file, KeyFileOptions{})
		fe, ok := errors.AsType[*FileError](err)
		if !ok || fe.File != file || !strings.Contains(err.Error(), tt.words) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestKeyFilePassphrase: it opens the key, is told to nobody, and is wiped.
func TestKeyFilePassphrase(t *testing.T) {
	file := filepath.Join("testdata", "encrypted") // with little work behind its passphrase
	public, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	var given []byte
	ask := func(words string) func(string) ([]byte, error) {
		return func(asked string) ([]byte, error) {
			if asked != file {
				t.Errorf("asked for the passphrase of %s", asked)
			}
			given = []byte(words)
			return given, nil
		}
	}
	k, err := NewKeyFile(file, KeyFileOptions{Passphrase: ask("open sesame")})
	if err != nil {
		t.Fatal(err)
	}
	if s, _ := k.Signers(t.Context()); !strings.HasPrefix(string(public), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s[0].PublicKey())))) {
		t.Error("it is another key")
	}
	if strings.Trim(string(given), "\x00") != "" {
		t.Error("the passphrase is left in memory")
	}
	if _, err := NewKeyFile(file, KeyFileOptions{Passphrase: ask("open barley")}); err == nil || strings.Contains(err.Error(), "barley") {
		t.Errorf("the wrong passphrase: %v", err)
	}
	gone := errors.New("the vault is shut")
	if _, err := NewKeyFile(file, KeyFileOptions{Passphrase: func(string) ([]byte, error) { return nil, gone }}); !errors.Is(err, gone) {
		t.Errorf("no passphrase: %v", err)
	}
}

// TestKeyFileWithCertificate: both are replaced one after the other, and in
// between the last good pair stays.
func TestKeyFileWithCertificate(t *testing.T) {
	ca, first, second := sshtest.NewKey(t), sshtest.NewKey(t), sshtest.NewKey(t)
	dir := t.TempDir()
	file, certFile := filepath.Join(dir, "id"), filepath.Join(dir, "id-cert.pub")
	put := func(key *sshtest.Key, cert ssh.PublicKey) {
		if key != nil {
			sshtest.WriteFile(t, file, key.PEM(t, ""))
		}
		if cert != nil {
			sshtest.WriteFile(t, certFile, ssh.MarshalAuthorizedKey(cert))
		}
	}
	certOf := func(k sshtest.Key) ssh.PublicKey { return sshtest.UserCertificate(t, ca, k, "user").PublicKey() }
	put(&first, certOf(first))
	failures := 0
	k, err := NewKeyFile(file, KeyFileOptions{Certificate: certFile, FileOptions: FileOptions{
		Recheck: -1, Trace: &FileTrace{ReloadFailed: func(string, error) { failures++ }},
	}})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want sshtest.Key) {
		t.Helper()
		signers, err := k.Signers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		cert, ok := signers[0].PublicKey().(*ssh.Certificate)
		if !ok || string(cert.Key.Marshal()) != string(want.PublicKey().Marshal()) {
			t.Errorf("the signer is %s", describe(signers[0].PublicKey()))
		}
	}
	expect(first)
	put(&second, nil)
	expect(first)
	put(nil, certOf(second))
	expect(second)
	if failures != 1 {
		t.Errorf("%d failures were told of, want that of the half swap", failures)
	}
	for name, bad := range map[string]ssh.PublicKey{
		"of a host":      sshtest.HostCertificate(t, ca, second, "user").PublicKey(),
		"a bare key":     second.PublicKey(),
		"of another key": certOf(first),
	} {
		put(nil, bad)
		if _, err := NewKeyFile(file, KeyFileOptions{Certificate: certFile}); err == nil {
			t.Errorf("a certificate %s is taken", name)
		} else if fe, ok := errors.AsType[*FileError](err); !ok || fe.File != certFile {
			t.Errorf("%s: %v; want the file of the certificate", name, err)
		}
	}
}

// plainRSA signs with whatever package ssh takes for the default of the type.
type plainRSA struct{ ssh.Signer }

func (p plainRSA) Sign(r io.Reader, data []byte) (*ssh.Signature, error) {
	return p.Signer.Sign(r, data)
}

// TestNoSignerFallsBackToSHA1: an RSA key of any make offers SHA-2 alone.
func TestNoSignerFallsBackToSHA1(t *testing.T) {
	key := rsaKey(t, 2048)
	cert := sshtest.UserCertificate(t, sshtest.NewKey(t), key, "user")
	for name, signer := range map[string]ssh.Signer{"key": key, "certificate": cert, "agent": &agentSigner{public: key.PublicKey()}} {
		s, err := withoutSHA1(signer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, ok := s.(ssh.MultiAlgorithmSigner)
		if !ok || len(m.Algorithms()) == 0 || slices.Contains(m.Algorithms(), ssh.KeyAlgoRSA) {
			t.Errorf("%s: signs with %v", name, m.Algorithms())
		}
	}
	if _, err := withoutSHA1(plainRSA{key}); err == nil {
		t.Error("a signer that knows SHA-1 alone is taken")
	}
	only, err := ssh.NewSignerWithAlgorithms(key.(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSA})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := withoutSHA1(only); err == nil {
		t.Error("a signer that is held to SHA-1 is taken")
	}
}

// TestCollectSkipsWhatFails: an agent that is down does not keep a key file from
// being offered, and is told of.
func TestCollectSkipsWhatFails(t *testing.T) {
	key := sshtest.NewKey(t)
	down := AgentSocket(filepath.Join(t.TempDir(), "none"))
	skipped := 0
	note := func(error) { skipped++ }
	signers, err := collect(t.Context(), []Credentials{down, StaticSigners(key)}, note)
	if err != nil || len(signers) != 1 || skipped != 1 {
		t.Errorf("%v, %v, %d skipped", signers, err, skipped)
	}
	if _, err := collect(t.Context(), []Credentials{down}, note); err == nil || !strings.Contains(err.Error(), "agent") {
		t.Errorf("nothing but an agent that is down: %v", err)
	}
}

func ExampleNewKeyFile() {
	_, err := NewKeyFile("/etc/egress/none", KeyFileOptions{FileOptions: FileOptions{Recheck: time.Minute}})
	fmt.Println(err)
	// Output: sshtunnel: key /etc/egress/none: no such file or directory
}
