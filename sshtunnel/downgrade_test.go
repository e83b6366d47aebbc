package sshtunnel_test

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/sshtunnel"
)

// TestPrefixTruncation is the attack that is called Terrapin: a message slipped
// in before the keys are there lets one behind them be cut off unnoticed, unless
// both sides are strict about what a key exchange may hold.
func TestPrefixTruncation(t *testing.T) {
	target := echo(t)
	server := sshtest.Start(t, sshtest.Options{})
	for _, tt := range []struct {
		name  string
		edit  func([]byte) [][]byte
		turn  func(*sshtunnel.Config)
		words string // what the error tells; empty with works means success
		works bool
	}{
		{name: "untouched", edit: func(p []byte) [][]byte { return [][]byte{p} }, works: true},
		{name: "ignore before the offer", edit: ignoreBefore(msgKexInit)},
		{name: "ignore before the keys", edit: ignoreBefore(msgNewKeys)},
		{name: "not strict", edit: withoutStrict, words: "strict"},
		{name: "not strict with one's own algorithms", edit: withoutStrict, turn: func(c *sshtunnel.Config) {
			c.SSH = &ssh.Config{}
		}, words: "signature"}, // which covers the offer: the demand is off, and still nobody can edit
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(server.Logins())
			d := through(t, ours{server}, func(c *sshtunnel.Config) {
				c.Via = tamper(tt.edit)
				if tt.turn != nil {
					tt.turn(c)
				}
			})
			if tt.works {
				reaches(t, d, target)
				return
			}
			err := refusedDial(t, d, "tcp", target)
			if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSSH) || dialer.KindOf(err) == dialer.Timeout {
				t.Errorf("got %v; want an error of hop ssh that is no timeout", err)
			}
			if !strings.Contains(err.Error(), tt.words) {
				t.Errorf("the error does not tell of %q: %v", tt.words, err)
			}
			if n := len(server.Logins()); n != before {
				t.Error("the client logged in")
			}
		})
	}
}

// TestOldAlgorithms: what is known to be weak is not spoken, unless one asks for
// it by name.
func TestOldAlgorithms(t *testing.T) {
	target := echo(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	rsaKey := testkit.Must(ssh.NewSignerFromKey(private))(t)
	if err != nil {
		t.Fatal(err)
	}
	sha1 := testkit.Must(ssh.NewSignerWithAlgorithms(rsaKey.(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSA}))(t)
	for _, tt := range []struct {
		name string
		opts sshtest.Options
		// own is the configuration that takes the server anyway, nil where the
		// defaults do.
		own func(*sshtunnel.Config)
	}{
		{"RSA with SHA-2", sshtest.Options{HostKeys: []ssh.Signer{rsaKey}}, nil},
		{"RSA with SHA-1", sshtest.Options{HostKeys: []ssh.Signer{sha1}}, func(c *sshtunnel.Config) {
			c.HostKeyAlgorithms = []string{ssh.KeyAlgoRSA}
		}},
		{"RSA with SHA-1 as the last resort", sshtest.Options{HostKeys: []ssh.Signer{sha1}}, func(c *sshtunnel.Config) {
			c.HostKeyAlgorithms = []string{ssh.KeyAlgoED25519, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSA}
		}},
		{"group 14 with SHA-1", only(func(c *ssh.Config) { c.KeyExchanges = []string{ssh.InsecureKeyExchangeDH14SHA1} }), func(c *sshtunnel.Config) {
			c.SSH = &ssh.Config{KeyExchanges: []string{ssh.InsecureKeyExchangeDH14SHA1}}
		}},
		{"CBC", only(func(c *ssh.Config) { c.Ciphers = []string{ssh.InsecureCipherAES128CBC} }), func(c *sshtunnel.Config) {
			c.SSH = &ssh.Config{Ciphers: []string{ssh.InsecureCipherAES128CBC}}
		}},
		{"RC4", only(func(c *ssh.Config) { c.Ciphers = []string{ssh.InsecureCipherRC4256} }), func(c *sshtunnel.Config) {
			c.SSH = &ssh.Config{Ciphers: []string{ssh.InsecureCipherRC4256}}
		}},
		{"HMAC with SHA-1", only(func(c *ssh.Config) {
			c.Ciphers, c.MACs = []string{ssh.CipherAES128CTR}, []string{ssh.HMACSHA1}
		}), func(c *sshtunnel.Config) {
			c.SSH = &ssh.Config{Ciphers: []string{ssh.CipherAES128CTR}, MACs: []string{ssh.HMACSHA1}}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := sshtest.Start(t, tt.opts)
			d := through(t, ours{server})
			if tt.own == nil {
				reaches(t, d, target)
				return
			}
			err := refusedDial(t, d, "tcp", target)
			if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSSH) || !strings.Contains(err.Error(), "no common algorithm") {
				t.Errorf("got %v; want an error of hop ssh that tells of no common algorithm", err)
			}
			reaches(t, through(t, ours{server}, tt.own), target)
		})
	}
}

// only is a server with nothing but what set says.
func only(set func(*ssh.Config)) sshtest.Options {
	var o sshtest.Options
	set(&o.SSH)
	return o
}
