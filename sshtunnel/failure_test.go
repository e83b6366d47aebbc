package sshtunnel_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/dialer/dialertest"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/sshtunnel"
)

// TestOpenFailures: what the server says about a channel tells whether the
// target or the server failed, and with it whether another route may help.
func TestOpenFailures(t *testing.T) {
	server := sshtest.Start(t, sshtest.Options{})
	d := through(t, ours{server})
	for _, tt := range []struct {
		name      string
		reject    ssh.OpenChannelError
		kind      dialer.Kind
		hop       string
		retryable bool
	}{
		{"prohibited", ssh.OpenChannelError{Reason: ssh.Prohibited, Message: "open failed"}, dialer.Denied, dialer.HopSSH, false},
		{"shortage", ssh.OpenChannelError{Reason: ssh.ResourceShortage, Message: "no more"}, dialer.Other, dialer.HopSSH, true},
		{"unknown type", ssh.OpenChannelError{Reason: ssh.UnknownChannelType, Message: "what?"}, dialer.Other, dialer.HopSSH, true},
		{"refused", ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "Connection refused"}, dialer.Refused, dialer.HopTarget, false},
		{"timed out", ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "Connection timed out"}, dialer.Timeout, dialer.HopTarget, true},
		{"no host", ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "Name or service not known"}, dialer.NoSuchHost, dialer.HopTarget, false},
		{"no route", ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "No route to host"}, dialer.Unreachable, dialer.HopTarget, true},
		{"no network", ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "Network is unreachable"}, dialer.Unreachable, dialer.HopTarget, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server.Set(func(k *sshtest.Knobs) { k.Reject = &tt.reject })
			checkOpenError(t, refusedDial(t, d, "tcp", "127.0.0.1:1"), tt.kind, tt.hop, tt.retryable, tt.reject.Reason)
		})
	}
}

func checkOpenError(t *testing.T, err error, kind dialer.Kind, hop string, retryable bool, reason ssh.RejectionReason) {
	t.Helper()
	if got := dialer.KindOf(err); got != kind {
		t.Errorf("%v is of kind %v, want %v", err, got, kind)
	}
	if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(hop) {
		t.Errorf("%v is not at hop %s", err, hop)
	}
	if got := dialer.Retryable(err); got != retryable {
		t.Errorf("%v: another route may be tried: %t, want %t", err, got, retryable)
	}
	if open, ok := errors.AsType[*sshtunnel.OpenError](err); !ok || open.Reason != reason {
		t.Errorf("%v does not carry the server's reason, %v", err, reason)
	}
}

func TestTargetFailures(t *testing.T) { targetFailures(t, startOurs) }

// targetFailures are those that a real connect of the server ends in.
func targetFailures(t *testing.T, start starter) {
	d := through(t, start(t, endpointOptions{}))
	for _, tt := range []struct {
		name, address string
		kind          dialer.Kind
	}{
		{"Refused", dialertest.ClosedPort(t), dialer.Refused},
		{"RefusedIPv6", closedIPv6Port(t), dialer.Refused},
		{"NoSuchHost", "no-such-host.invalid:80", dialer.NoSuchHost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkOpenError(t, refusedDial(t, d, "tcp", tt.address), tt.kind, dialer.HopTarget, false, ssh.ConnectionFailed)
		})
	}
}

func closedIPv6Port(t testing.TB) string {
	t.Helper()
	ln := testkit.Must(net.Listen("tcp", "[::1]:0"))(t)
	ln.Close()
	return ln.Addr().String()
}

// TestServerFailures: a server that cannot be reached is a failure of the way.
func TestServerFailures(t *testing.T) {
	target := echo(t)
	server := sshtest.Start(t, sshtest.Options{})
	d := through(t, ours{server})
	server.Kill()
	err := refusedDial(t, d, "tcp", target)
	if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSSH) || !errors.Is(err, dialer.ErrRefused) || !dialer.Retryable(err) {
		t.Errorf("got %v; want a refused connection at hop ssh, after which another route may be tried", err)
	}
	server.Restart(t)
	reaches(t, d, target)
}

// TestConfigOfNoHostKeys: there is no unverified mode.
func TestConfigOfNoHostKeys(t *testing.T) {
	server := sshtest.New(t, sshtest.Options{})
	cfg := configFor(ours{server})
	cfg.Address = "192.0.2.22:22"
	if _, err := sshtunnel.New(cfg); err != nil {
		t.Fatalf("the configuration that the others are made of: %v", err)
	}
	for name, none := range map[string]sshtunnel.HostKeys{
		"nil": nil, "no pins": sshtunnel.PinnedKeys(), "no authorities": sshtunnel.HostCertificates(),
	} {
		cfg := cfg
		cfg.HostKeys = none
		if d, err := sshtunnel.New(cfg); err == nil {
			d.Close()
			t.Errorf("%s: a Dialer that verifies nothing was made", name)
		}
	}
}

// TestDialerClosed: everything after Close is over.
func TestDialerClosed(t *testing.T) {
	target := echo(t)
	server := sshtest.Start(t, sshtest.Options{})
	d := through(t, ours{server})
	c := dial(t, d, "tcp", target)
	d.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a conn outlives its Dialer")
	}
	if err := refusedDial(t, d, "tcp", target); !errors.Is(err, sshtunnel.ErrClosed) {
		t.Errorf("got %v; want ErrClosed", err)
	}
	eventually(t, "the server to see the end", func() bool { return server.Conns() == 0 })
}

// TestCloseEndsDials: a dial under way ends with its Dialer.
func TestCloseEndsDials(t *testing.T) {
	for name, knobs := range map[string]sshtest.Knobs{
		"handshake": {Silent: true}, "authentication": {StallAuth: true}, "open": {IgnoreOpens: true},
	} {
		t.Run(name, func(t *testing.T) {
			server := sshtest.Start(t, sshtest.Options{Knobs: knobs})
			d := through(t, ours{server})
			failed := make(chan error, 1)
			go func() {
				_, err := d.DialContext(context.Background(), "tcp", "127.0.0.1:1")
				failed <- err
			}()
			eventually(t, "the dial to begin", func() bool { return server.Accepted() > 0 && (name != "open" || server.Opens() > 0) })
			d.Close()
			err := <-failed
			if !errors.Is(err, sshtunnel.ErrClosed) || !dialer.Retryable(err) {
				t.Errorf("got %v; want ErrClosed, after which another route may be tried", err)
			}
		})
	}
}
