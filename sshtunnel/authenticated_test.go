package sshtunnel_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/sshtunnel"
)

func TestAuthentication(t *testing.T) { authentication(t, startOurs) }

// authentication are the ways in which a client can prove itself.
func authentication(t *testing.T, start starter) {
	target := echo(t)
	key, ca, stranger := sshtest.NewKey(t), sshtest.NewKey(t), sshtest.NewKey(t)
	ep := start(t, endpointOptions{keys: []ssh.PublicKey{key.PublicKey()}, userCAs: []ssh.PublicKey{ca.PublicKey()}})
	dir := t.TempDir()
	plain := key.Write(t, dir, "plain")
	locked := filepath.Join(dir, "locked")
	sshtest.WriteFile(t, locked, key.PEM(t, "open sesame"))
	certified := stranger.Write(t, dir, "certified")
	certificate := sshtest.UserCertificate(t, ca, stranger, ep.User())
	sshtest.WriteFile(t, certified+"-cert.pub", ssh.MarshalAuthorizedKey(certificate.PublicKey()))
	for _, tt := range []struct {
		name        string
		credentials []sshtunnel.Credentials
		refused     bool
	}{
		{"Signer", credentials(sshtunnel.StaticSigners(key)), false},
		{"File", credentials(testkit.Must(sshtunnel.NewKeyFile(plain, sshtunnel.KeyFileOptions{}))(t)), false},
		{"FileWithPassphrase", credentials(testkit.Must(sshtunnel.NewKeyFile(locked, sshtunnel.KeyFileOptions{
			Passphrase: func(string) ([]byte, error) { return []byte("open sesame"), nil },
		}))(t)), false},
		{"FileWithCertificate", credentials(testkit.Must(sshtunnel.NewKeyFile(certified, sshtunnel.KeyFileOptions{
			Certificate: certified + "-cert.pub",
		}))(t)), false},
		{"Agent", credentials(sshtunnel.AgentSocket(serveAgent(t, key))), false},
		{"Certificate", credentials(sshtunnel.StaticSigners(certificate)), false},
		{"SecondOfTwo", credentials(sshtunnel.StaticSigners(stranger), sshtunnel.StaticSigners(key)), false},
		{"Stranger", credentials(sshtunnel.StaticSigners(stranger)), true},
		{"CertificateOfAnotherUser", credentials(sshtunnel.StaticSigners(sshtest.UserCertificate(t, ca, stranger, "somebody-else"))), true},
		{"CertificateOfAStranger", credentials(sshtunnel.StaticSigners(sshtest.UserCertificate(t, stranger, stranger, ep.User()))), true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := through(t, ep, func(c *sshtunnel.Config) { c.Credentials = tt.credentials })
			if !tt.refused {
				reaches(t, d, target)
				return
			}
			err := refusedDial(t, d, "tcp", target)
			if !errors.Is(err, sshtunnel.ErrAuthentication) {
				t.Errorf("got %v; want ErrAuthentication", err)
			}
			if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSSH) {
				t.Errorf("the error is not one of hop ssh: %v", err)
			}
			if s := d.Status(); s.State == sshtunnel.Connected || s.HostKey != "" || s.Err == nil {
				t.Errorf("after a failed login the status is %+v", s)
			}
		})
	}
}

func credentials(c ...sshtunnel.Credentials) []sshtunnel.Credentials { return c }

// TestIdentityIsThatOfTheFinishedHandshake: a key that was only offered is
// nobody's identity, on either side.
func TestIdentityIsThatOfTheFinishedHandshake(t *testing.T) {
	target := echo(t)
	offered, used := sshtest.NewKey(t), sshtest.NewKey(t)
	first, second := sshtest.NewKey(t), sshtest.NewKey(t)
	server := sshtest.Start(t, sshtest.Options{
		HostKeys: []ssh.Signer{first}, Keys: []ssh.PublicKey{used.PublicKey()},
	})
	d := through(t, ours{server}, func(c *sshtunnel.Config) {
		c.HostKeys = sshtunnel.PinnedKeys(first.PublicKey(), second.PublicKey())
		c.Credentials = credentials(sshtunnel.StaticSigners(offered, used))
	})
	reaches(t, d, target)
	server.SetHostKeys(second)
	checkIdentity := func(host, user ssh.PublicKey) {
		t.Helper()
		if got := d.Status().HostKey; !strings.Contains(got, ssh.FingerprintSHA256(host)) {
			t.Errorf("the server is known as %q, want %s", got, ssh.FingerprintSHA256(host))
		}
		logins := server.Logins()
		if last := logins[len(logins)-1]; !sameKey(last.Key, user) || last.User != "tunnel" {
			t.Errorf("the server let in %s with %s", last.User, ssh.FingerprintSHA256(last.Key))
		}
	}
	checkIdentity(first.PublicKey(), used.PublicKey())
	server.DropConns()
	eventually(t, "the client to end", func() bool { return d.Status().State != sshtunnel.Connected })
	if got := d.Status().HostKey; got != "" {
		t.Errorf("without a client the server is known as %q", got)
	}
	reaches(t, d, target)
	checkIdentity(second.PublicKey(), used.PublicKey())
}

// TestKeyRotation: a new key is for the next handshake, and live conns stay.
func TestKeyRotation(t *testing.T) {
	target := echo(t)
	old, fresh := sshtest.NewKey(t), sshtest.NewKey(t)
	server := sshtest.Start(t, sshtest.Options{Keys: []ssh.PublicKey{old.PublicKey(), fresh.PublicKey()}})
	file := old.Write(t, t.TempDir(), "id")
	d := through(t, ours{server}, func(c *sshtunnel.Config) {
		c.Credentials = credentials(testkit.Must(sshtunnel.NewKeyFile(file, sshtunnel.KeyFileOptions{FileOptions: sshtunnel.FileOptions{Recheck: -1}}))(t))
	})
	live := dial(t, d, "tcp", target)
	fresh.Write(t, filepath.Dir(file), "id")
	talk(t, live, "by the old key")
	reaches(t, d, target) // the same client
	server.DropConns()
	eventually(t, "the client to end", func() bool { return d.Status().State != sshtunnel.Connected })
	reaches(t, d, target)
	sshtest.WriteFile(t, file, []byte("half a key"))
	server.DropConns()
	eventually(t, "the client to end", func() bool { return d.Status().State != sshtunnel.Connected })
	reaches(t, d, target) // the last good one
	var used []string
	for _, l := range server.Logins() {
		used = append(used, ssh.FingerprintSHA256(l.Key))
	}
	want := []string{
		ssh.FingerprintSHA256(old.PublicKey()), ssh.FingerprintSHA256(fresh.PublicKey()), ssh.FingerprintSHA256(fresh.PublicKey()),
	}
	if strings.Join(used, " ") != strings.Join(want, " ") {
		t.Errorf("logged in with %q, want %q", used, want)
	}
}

// TestAgentThatHangs: an agent can wait for its user's touch, and the user may
// have gone home.
func TestAgentThatHangs(t *testing.T) {
	ln := testkit.Must(net.Listen("unix", socketPath(t)))(t)
	defer ln.Close() // and never an Accept
	server := sshtest.Start(t, sshtest.Options{})
	d := through(t, ours{server}, func(c *sshtunnel.Config) {
		c.Credentials = credentials(sshtunnel.AgentSocket(ln.Addr().String()))
	})
	ctx, cancel := context.WithCancel(t.Context())
	failed := make(chan error, 1)
	go func() {
		_, err := d.DialContext(ctx, "tcp", "127.0.0.1:1")
		failed <- err
	}()
	eventually(t, "the handshake to begin", func() bool { return server.Accepted() > 0 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v; want context.Canceled", err)
	}
}

// serveAgent runs an agent that holds key, until t's cleanups.
func serveAgent(t testing.TB, key sshtest.Key) (path string) {
	t.Helper()
	ring := agent.NewKeyring()
	private := key.Private()
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	ln := testkit.Must(net.Listen("unix", socketPath(t)))(t)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				agent.ServeAgent(ring, c)
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		serving.Wait()
		os.Remove(ln.Addr().String())
	})
	return ln.Addr().String()
}
