//go:build sshd

package sshtunnel_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/dialer/dialertest"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// The tests of this file hold what the others do with the server in the process
// against OpenSSH's. They need openssh-server on the machine and the build tag
// sshd, and fail where it is missing.

// startSSHD is a starter of OpenSSH's servers.
func startSSHD(t testing.TB, opts endpointOptions) endpoint {
	t.Helper()
	return startConfigured(t, opts)
}

// startConfigured is startSSHD with lines of sshd's own configuration.
func startConfigured(t testing.TB, opts endpointOptions, config ...string) endpoint {
	t.Helper()
	if opts.knobs != (sshtest.Knobs{}) {
		t.Fatal("sshd has no knobs")
	}
	o := sshtest.SSHDOptions{
		Host: opts.host, HostKeys: opts.hostKeys, HostCertificate: opts.hostCertificate,
		Keys: opts.keys, UserCAs: opts.userCAs, Config: config,
	}
	if len(o.Keys)+len(o.UserCAs) == 0 {
		o.Keys = []ssh.PublicKey{userKey().PublicKey()}
	}
	return sshtest.StartSSHD(t, o)
}

func TestSSHDConformance(t *testing.T) {
	for name, fixture := range routes(startSSHD) {
		if name == "Unix" {
			continue // TestSSHDUnixConformance
		}
		t.Run(name, func(t *testing.T) {
			dialertest.Run(t, func(t *testing.T) dialertest.Fixture { return onSSHD(fixture(t)) })
		})
	}
}

// TestSSHDUnixConformance leaves out what OpenSSH cannot do with a socket: its
// connect never hangs, and of one that fails it says only that it did.
func TestSSHDUnixConformance(t *testing.T) {
	newFixture := func(t *testing.T) dialertest.Fixture {
		f := onSSHD(routes(startSSHD)["Unix"](t))
		f.Hang = deadSocket
		return f
	}
	t.Run("Conn", func(t *testing.T) {
		leak.Check(t)
		dialertest.TestConn(t, newFixture(t))
	})
	for _, c := range dialertest.Checks() {
		switch c.Name {
		case "Refused", "CancelDuringDial", "DeadlineDuringDial", "ResetByTarget", "MalformedAddress":
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			leak.Check(t)
			c.Test(t, newFixture(t))
		})
	}
}

// onSSHD says what OpenSSH cannot do.
func onSSHD(f dialertest.Fixture) dialertest.Fixture {
	// It sends EOF, then closes the channel, whether the target reset or ended.
	f.NoReset = true
	// A connect goes on when nobody waits for it any more, until the system
	// gives up after minutes; so the target's end is sooner.
	f.Hang = hangForAWhile
	return f
}

// hangForAWhile is a Blackhole that refuses after a second what it has swallowed.
func hangForAWhile(t testing.TB) string {
	t.Helper()
	scope := &early{TB: t}
	address := dialertest.Blackhole(scope)
	timer := time.AfterFunc(time.Second, scope.end)
	t.Cleanup(func() {
		if timer.Stop() {
			scope.end()
		}
	})
	return address
}

// early is a testing.TB whose cleanups run when end is called.
type early struct {
	testing.TB
	cleanups []func()
}

func (e *early) Cleanup(f func()) { e.cleanups = append(e.cleanups, f) }

func (e *early) end() {
	for _, f := range e.cleanups {
		f()
	}
}

func TestSSHDHostKeys(t *testing.T)           { hostKeys(t, startSSHD) }
func TestSSHDChangedHostKey(t *testing.T)     { changedHostKey(t, startSSHD) }
func TestSSHDHostKnownByOneType(t *testing.T) { oneTypeOfKey(t, startSSHD) }
func TestSSHDAuthentication(t *testing.T)     { authentication(t, startSSHD) }
func TestSSHDTargetFailures(t *testing.T)     { targetFailures(t, startSSHD) }
func TestSSHDColdDialsShareOne(t *testing.T)  { coldDials(t, startSSHD(t, endpointOptions{})) }

func TestSSHDThousandChannels(t *testing.T) {
	leak.Check(t) // what watches sshd included
	thousandChannels(t, startSSHD(t, endpointOptions{}))
}

func TestSSHDKilledAndRestarted(t *testing.T) {
	leak.Check(t)
	ep := startSSHD(t, endpointOptions{})
	sshd := ep.(*sshtest.SSHD)
	killedAndRestarted(t, ep, sshd.Kill, func() {
		if err := sshd.Restart(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSSHDStopped stops the processes of sshd, so that its sockets stay and
// nobody reads them.
func TestSSHDStopped(t *testing.T) {
	ep := startSSHD(t, endpointOptions{})
	sshd := ep.(*sshtest.SSHD)
	stoppedServer(t, ep, sshd.Freeze, sshd.Thaw)
}

// TestSSHDForbidsForwarding: the server's own configuration is a policy, and no
// reason to go another way. Of a socket OpenSSH does not say that it is that.
func TestSSHDForbidsForwarding(t *testing.T) {
	ep := startConfigured(t, endpointOptions{}, "AllowTcpForwarding no", "AllowStreamLocalForwarding no")
	d := through(t, ep)
	err := refusedDial(t, d, "tcp", echo(t))
	if !errors.Is(err, dialer.ErrDenied) || dialer.Retryable(err) {
		t.Errorf("got %v; want it denied, and no other route tried", err)
	}
	if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSSH) || !strings.Contains(err.Error(), "ssh "+ep.Addr()+": denied by the server") {
		t.Errorf("got %v; want it said that the server at %s denied it", err, ep.Addr())
	}
	if open, ok := errors.AsType[*sshtunnel.OpenError](err); !ok || open.Reason != ssh.Prohibited {
		t.Errorf("got %v; want the server's own reason", err)
	}
	err = refusedDial(t, d, "unix", echoAt(t, "unix", socketPath(t)))
	if !errors.Is(err, dialer.ErrRefused) || dialer.Retryable(err) {
		t.Errorf("unix: got %v; want it refused, and no other route tried", err)
	}
}

// TestSSHDTooManyFailures: OpenSSH leaves with an error of protocol when it has seen
// enough keys.
func TestSSHDTooManyFailures(t *testing.T) {
	tooManyFailures(t, startConfigured(t, endpointOptions{}, "MaxAuthTries 2"), sshtest.NewKey(t), sshtest.NewKey(t))
}

func TestSSHDLostDuringAuthentication(t *testing.T) {
	ep := startSSHD(t, endpointOptions{})
	lostDuringAuthentication(t, ep, ep.(*sshtest.SSHD).Kill)
}

// TestSSHDUnixTargetFails: of a socket OpenSSH says only that it failed.
func TestSSHDUnixTargetFails(t *testing.T) {
	d := through(t, startSSHD(t, endpointOptions{}))
	for name, path := range map[string]string{"dead": deadSocket(t), "missing": socketPath(t)} {
		err := refusedDial(t, d, "unix", path)
		if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopTarget) {
			t.Errorf("%s: got %v; want a failure of the target", name, err)
		}
	}
}

// TestSSHDCiphers: every cipher of the modern set that sshd speaks carries data
// both ways, across a change of keys.
func TestSSHDCiphers(t *testing.T) {
	target := echo(t)
	for _, cipher := range []string{
		ssh.CipherAES128GCM, ssh.CipherAES256GCM, ssh.CipherChaCha20Poly1305, ssh.CipherAES128CTR, ssh.CipherAES256CTR,
	} {
		t.Run(cipher, func(t *testing.T) {
			ep := sshtest.StartSSHD(t, sshtest.SSHDOptions{
				Keys:   []ssh.PublicKey{userKey().PublicKey()},
				Config: []string{"Ciphers " + cipher, "RekeyLimit 1M"},
			})
			d := through(t, ep)
			c := dial(t, d, "tcp", target)
			for range 64 {
				talk(t, c, strings.Repeat("data ", 16<<10))
			}
		})
	}
}
