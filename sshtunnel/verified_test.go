package sshtunnel_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/sshtunnel"
)

func TestHostKeys(t *testing.T) { hostKeys(t, startOurs) }

// hostKeys are the ways in which a server can prove itself, and fail to.
func hostKeys(t *testing.T, start starter) {
	target := echo(t)
	type world struct {
		ep         endpoint
		key, other ssh.PublicKey // the server's own key, and somebody else's
		ca         ssh.PublicKey // has signed the server's key
	}
	line := knownhosts.Line
	hashed := func(w world) string {
		return knownhosts.HashHostname(knownhosts.Normalize(w.ep.Addr())) + " " + text(w.key)
	}
	for _, tt := range []struct {
		name        string
		host        string
		certificate bool                   // the server shows one
		known       func(w world) []string // the lines of known_hosts
		refused     sshtunnel.HostKeyReason
	}{
		{name: "Plain", known: func(w world) []string { return []string{line([]string{w.ep.Addr()}, w.key)} }},
		{name: "Hashed", known: func(w world) []string { return []string{hashed(w)} }},
		{name: "IPv6", host: "::1", known: func(w world) []string { return []string{line([]string{w.ep.Addr()}, w.key)} }},
		{name: "HashedIPv6", host: "::1", known: func(w world) []string { return []string{hashed(w)} }},
		{name: "OtherPort", refused: sshtunnel.UnknownHost, known: func(w world) []string {
			return []string{line([]string{"127.0.0.1:1"}, w.key), line([]string{"127.0.0.1"}, w.key)}
		}},
		{name: "Unknown", refused: sshtunnel.UnknownHost, known: func(w world) []string {
			return []string{line([]string{"elsewhere.example:22"}, w.key)}
		}},
		{name: "Changed", refused: sshtunnel.ChangedKey, known: func(w world) []string {
			return []string{"# a comment", line([]string{w.ep.Addr()}, w.other)}
		}},
		{name: "ChangedHashed", refused: sshtunnel.ChangedKey, known: func(w world) []string {
			return []string{knownhosts.HashHostname(knownhosts.Normalize(w.ep.Addr())) + " " + text(w.other)}
		}},
		{name: "Revoked", refused: sshtunnel.RevokedKey, known: func(w world) []string {
			return []string{line([]string{w.ep.Addr()}, w.key), "@revoked * " + text(w.key)}
		}},
		{name: "RevokedBefore", refused: sshtunnel.RevokedKey, known: func(w world) []string {
			return []string{"@revoked " + pattern(w.ep) + " " + text(w.key), hashed(w)}
		}},
		{name: "Authority", certificate: true, known: func(w world) []string {
			return []string{"@cert-authority " + pattern(w.ep) + " " + text(w.ca)}
		}},
		{name: "AuthorityOfAll", certificate: true, known: func(w world) []string {
			return []string{"@cert-authority * " + text(w.ca)}
		}},
		{name: "RevokedAuthority", certificate: true, refused: sshtunnel.RevokedKey, known: func(w world) []string {
			return []string{"@cert-authority * " + text(w.ca), "@revoked * " + text(w.ca)}
		}},
		{name: "RevokedCertified", certificate: true, refused: sshtunnel.RevokedKey, known: func(w world) []string {
			return []string{"@cert-authority * " + text(w.ca), "@revoked * " + text(w.key)}
		}},
		{name: "CertifiedAndPlain", certificate: true, known: func(w world) []string {
			// The server has a certificate, but the client knows its key.
			return []string{line([]string{w.ep.Addr()}, w.key)}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key, ca := sshtest.NewKey(t), sshtest.NewKey(t)
			opts := endpointOptions{host: tt.host, hostKeys: []sshtest.Key{key}}
			if tt.certificate {
				opts.hostCertificate = sshtest.HostCertificate(t, ca, key, "127.0.0.1").PublicKey().(*ssh.Certificate)
			}
			w := world{start(t, opts), key.PublicKey(), sshtest.NewKey(t).PublicKey(), ca.PublicKey()}
			file := filepath.Join(t.TempDir(), "known_hosts")
			sshtest.WriteFile(t, file, []byte(strings.Join(tt.known(w), "\n")+"\n"))
			d := through(t, w.ep, func(c *sshtunnel.Config) {
				c.HostKeys = testkit.Must(sshtunnel.NewKnownHosts([]string{file}, sshtunnel.FileOptions{}))(t)
			})
			if tt.refused == 0 {
				reaches(t, d, target)
				return
			}
			checkHostKeyError(t, refusedDial(t, d, "tcp", target), tt.refused, w.ep.Addr())
		})
	}
}

// TestChangedHostKeyTellsWhatWasExpected is for whoever gets the page at night.
func TestChangedHostKeyTellsWhatWasExpected(t *testing.T) { changedHostKey(t, startOurs) }

func changedHostKey(t *testing.T, start starter) {
	was, is := sshtest.NewECDSAKey(t), sshtest.NewECDSAKey(t)
	ep := start(t, endpointOptions{hostKeys: []sshtest.Key{is}})
	file := filepath.Join(t.TempDir(), "known_hosts")
	sshtest.WriteFile(t, file, []byte("# the servers\n\n"+knownhosts.Line([]string{ep.Addr()}, was.PublicKey())+"\n"))
	d := through(t, ep, func(c *sshtunnel.Config) {
		c.HostKeys = testkit.Must(sshtunnel.NewKnownHosts([]string{file}, sshtunnel.FileOptions{}))(t)
	})
	err := refusedDial(t, d, "tcp", "127.0.0.1:1")
	hk := checkHostKeyError(t, err, sshtunnel.ChangedKey, ep.Addr())
	for _, words := range []string{
		ep.Addr(),
		ssh.FingerprintSHA256(is.PublicKey()),
		ssh.FingerprintSHA256(was.PublicKey()),
		ssh.KeyAlgoECDSA256,
		file + ":3",
	} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("the error does not tell %s: %v", words, err)
		}
	}
	if len(hk.Expected) != 1 || hk.Expected[0].Line != 3 || hk.Expected[0].File != file || hk.Expected[0].Fingerprint != ssh.FingerprintSHA256(was.PublicKey()) {
		t.Errorf("the error expected %v", hk.Expected)
	}
	if !sameKey(hk.Shown, is.PublicKey()) {
		t.Errorf("the error was shown %v", hk.Shown)
	}
}

// TestHostKeyOfAnotherType: a server that has changed its key for one of another
// type has nothing to show; the error tells what was expected all the same.
func TestHostKeyOfAnotherType(t *testing.T) {
	was := sshtest.NewKey(t).PublicKey()
	server := sshtest.Start(t, sshtest.Options{HostKeys: []ssh.Signer{sshtest.NewECDSAKey(t)}})
	file := filepath.Join(t.TempDir(), "known_hosts")
	sshtest.WriteFile(t, file, []byte(knownhosts.Line([]string{server.Addr()}, was)+"\n"))
	for name, known := range map[string]sshtunnel.HostKeys{
		"known_hosts": testkit.Must(sshtunnel.NewKnownHosts([]string{file}, sshtunnel.FileOptions{}))(t),
		"pinned":      sshtunnel.PinnedKeys(was),
	} {
		d := through(t, ours{server}, func(c *sshtunnel.Config) { c.HostKeys = known })
		err := refusedDial(t, d, "tcp", "127.0.0.1:1")
		if want := "expected ssh-ed25519 " + ssh.FingerprintSHA256(was); !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error does not tell %q: %v", name, want, err)
		}
	}
}

// A host known by one type of key is not asked for another: a server with both
// would show the wrong one, and look like an impostor.
func TestHostKnownByOneTypeOfKey(t *testing.T) { oneTypeOfKey(t, startOurs) }

func oneTypeOfKey(t *testing.T, start starter) {
	target := echo(t)
	keys := []sshtest.Key{sshtest.NewKey(t), sshtest.NewECDSAKey(t)}
	ep := start(t, endpointOptions{hostKeys: keys})
	for _, k := range keys {
		file := filepath.Join(t.TempDir(), "known_hosts")
		sshtest.WriteFile(t, file, []byte(knownhosts.Line([]string{ep.Addr()}, k.PublicKey())+"\n"))
		for name, known := range map[string]sshtunnel.HostKeys{
			"known_hosts": testkit.Must(sshtunnel.NewKnownHosts([]string{file}, sshtunnel.FileOptions{}))(t),
			"pinned":      sshtunnel.PinnedKeys(k.PublicKey()),
			"parsed":      testkit.Must(sshtunnel.ParsePinnedKeys(text(k.PublicKey())))(t),
			"fingerprint": testkit.Must(sshtunnel.ParsePinnedKeys(k.PublicKey().Type() + " " + ssh.FingerprintSHA256(k.PublicKey())))(t),
		} {
			t.Run(k.PublicKey().Type()+"/"+name, func(t *testing.T) {
				d := through(t, ep, func(c *sshtunnel.Config) { c.HostKeys = known })
				reaches(t, d, target)
				if got := d.Status().HostKey; !strings.Contains(got, ssh.FingerprintSHA256(k.PublicKey())) {
					t.Errorf("the server has proved %q, want %s", got, ssh.FingerprintSHA256(k.PublicKey()))
				}
			})
		}
	}
}

// TestRevocationReachesTheNextHandshake: known_hosts is followed, and what goes
// on goes on.
func TestRevocationReachesTheNextHandshake(t *testing.T) {
	target := echo(t)
	server := sshtest.Start(t, sshtest.Options{})
	file := filepath.Join(t.TempDir(), "known_hosts")
	good := knownhosts.Line([]string{server.Addr()}, server.HostKey()) + "\n"
	sshtest.WriteFile(t, file, []byte(good))
	d := through(t, ours{server}, func(c *sshtunnel.Config) {
		c.HostKeys = testkit.Must(sshtunnel.NewKnownHosts([]string{file}, sshtunnel.FileOptions{Recheck: -1}))(t)
	})
	live := dial(t, d, "tcp", target)
	sshtest.WriteFile(t, file, []byte(good+"@revoked * "+text(server.HostKey())+"\n"))
	talk(t, live, "still there")
	server.DropConns()
	eventually(t, "the client to end", func() bool { return d.Status().State != sshtunnel.Connected })
	checkHostKeyError(t, refusedDial(t, d, "tcp", target), sshtunnel.RevokedKey, server.Addr())
	sshtest.WriteFile(t, file, []byte(good))
	reaches(t, d, target)
}

// checkHostKeyError wants err to be a refused host key at the hop of the server.
func checkHostKeyError(t *testing.T, err error, reason sshtunnel.HostKeyReason, server string) *sshtunnel.HostKeyError {
	t.Helper()
	hk, ok := errors.AsType[*sshtunnel.HostKeyError](err)
	if !ok {
		t.Fatalf("got %v; want a *HostKeyError", err)
	}
	if hk.Reason != reason || hk.Address != server {
		t.Errorf("refused for reason %d at %s, want %d at %s: %v", hk.Reason, hk.Address, reason, server, err)
	}
	if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSSH) {
		t.Errorf("the error is not one of hop ssh: %v", err)
	}
	return hk
}

// text is a key as it stands in files.
func text(key ssh.PublicKey) string { return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) }

// pattern is how known_hosts writes the address of ep.
func pattern(ep endpoint) string { return knownhosts.Normalize(ep.Addr()) }

func sameKey(a, b ssh.PublicKey) bool {
	return a != nil && b != nil && string(a.Marshal()) == string(b.Marshal())
}
