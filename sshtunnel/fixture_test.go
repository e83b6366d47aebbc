package sshtunnel_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/sshtunnel"
)

// What the tests of other packages have, too.
type logs = testkit.Logs

var eventually = testkit.Eventually

// endpoint is an SSH server to dial through: ours, or OpenSSH's behind the build
// tag sshd.
type endpoint interface {
	Addr() string
	HostKey() ssh.PublicKey
	User() string
}

// ours is the server in the process, which takes anybody.
type ours struct{ *sshtest.Server }

func (ours) User() string { return "tunnel" }

// startOurs is a starter of endpoints that listen at host.
func startOurs(t testing.TB, opts endpointOptions) endpoint {
	t.Helper()
	o := sshtest.Options{Knobs: opts.knobs, Dial: dialOrHang, UserCAs: opts.userCAs, Keys: opts.keys}
	for _, k := range opts.hostKeys {
		o.HostKeys = append(o.HostKeys, k)
	}
	if opts.hostCertificate != nil {
		// Beside the bare key, as sshd shows it.
		o.HostKeys = append(o.HostKeys, testkit.Must(ssh.NewCertSigner(opts.hostCertificate, opts.hostKeys[0]))(t))
	}
	if opts.host != "" {
		o.Address = net.JoinHostPort(opts.host, "0")
	}
	if len(o.Keys)+len(o.UserCAs) == 0 {
		o.Keys = []ssh.PublicKey{userKey().PublicKey()}
	}
	return ours{sshtest.Start(t, o)}
}

// endpointOptions is what both kinds of server can be told; the zero value suits
// most tests.
type endpointOptions struct {
	host            string // 127.0.0.1 where empty
	hostKeys        []sshtest.Key
	hostCertificate *ssh.Certificate // of the first of hostKeys
	keys, userCAs   []ssh.PublicKey  // userKey where there are none
	knobs           sshtest.Knobs    // ours only
}

// starter starts an endpoint and stops it with t's cleanups.
type starter func(t testing.TB, opts endpointOptions) endpoint

// userKey is the key that servers let in unless told otherwise.
var userKey = sync.OnceValue(func() sshtest.Key {
	k, err := sshtest.MakeKey()
	if err != nil {
		panic(err)
	}
	return k
})

// configFor is the plainest way through ep: its key is pinned.
func configFor(ep endpoint) sshtunnel.Config {
	return sshtunnel.Config{
		Address:     ep.Addr(),
		User:        ep.User(),
		HostKeys:    sshtunnel.PinnedKeys(ep.HostKey()),
		Credentials: []sshtunnel.Credentials{sshtunnel.StaticSigners(userKey())},
		Backoff:     -1, // tests do not wait
	}
}

// newDialer makes a Dialer of cfg that t's cleanups close.
func newDialer(t testing.TB, cfg sshtunnel.Config) *sshtunnel.Dialer {
	t.Helper()
	d, err := sshtunnel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return d
}

// through is a Dialer through ep with the changes that turn makes.
func through(t testing.TB, ep endpoint, turn ...func(*sshtunnel.Config)) *sshtunnel.Dialer {
	t.Helper()
	cfg := configFor(ep)
	for _, f := range turn {
		f(&cfg)
	}
	return newDialer(t, cfg)
}

// echoAt serves an echo at address until t's cleanups.
func echoAt(t testing.TB, network, address string) string {
	t.Helper()
	return testkit.Serve(t, testkit.Must(net.Listen(network, address))(t), func(c net.Conn) { io.Copy(c, c) })
}

// echo is echoAt on loopback.
func echo(t testing.TB) string {
	t.Helper()
	return echoAt(t, "tcp", "127.0.0.1:0")
}

// dial dials a target that must be reached; the conn is closed with t's cleanups.
func dial(t testing.TB, d dialer.Dialer, network, address string) net.Conn {
	t.Helper()
	c, err := d.DialContext(t.Context(), network, address)
	if err != nil {
		t.Fatalf("dial %s %s: %v", network, address, err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// talk sends words through c and wants them back.
func talk(t testing.TB, c net.Conn, words string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if err := testkit.Exchange(c, words); err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Time{})
}

// reaches wants d to reach the echo at address.
func reaches(t testing.TB, d dialer.Dialer, address string) {
	t.Helper()
	c := dial(t, d, "tcp", address)
	talk(t, c, "there and back")
	c.Close()
}

// refusedDial dials what must fail and returns how it did.
func refusedDial(t testing.TB, d dialer.Dialer, network, address string) error {
	t.Helper()
	c, err := d.DialContext(t.Context(), network, address)
	if err == nil {
		c.Close()
		t.Fatalf("dial %s %s succeeded; it must fail", network, address)
	}
	return err
}

// shortDir is a directory whose path leaves room for a socket's name, which
// t.TempDir's may not.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ssh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func socketPath(t testing.TB) string { return filepath.Join(shortDir(t), "socket") }
