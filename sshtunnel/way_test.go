package sshtunnel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/selector"
	"github.com/sallyport/sallyport/sshtunnel"
)

// forbids refuses every destination.
func forbids(k *sshtest.Knobs) {
	k.Reject = &ssh.OpenChannelError{Reason: ssh.Prohibited, Message: "open failed"}
}

// road is a chain of three SSH servers in memory: each can be reached through the
// one before it, and the first one from outside.
type road struct {
	servers map[string]*sshtest.Server // by address
	last    *sshtunnel.Dialer
}

func (r *road) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if s := r.servers[address]; s != nil {
		return s.DialContext(ctx, network, address)
	}
	near, far := sshtest.Pipe()
	go func() {
		defer far.Close()
		io.Copy(far, far)
	}()
	return near, nil
}

// bastion is the address of the one of that number, from 1.
func bastion(n int) string { return fmt.Sprintf("192.0.2.%d:22", n) }

func newRoad(t *testing.T, turn func(*sshtunnel.Config)) *road {
	t.Helper()
	r := &road{servers: map[string]*sshtest.Server{}}
	var via dialer.Dialer = dialer.Func(r.dial)
	for n := 1; n <= 3; n++ {
		r.servers[bastion(n)] = sshtest.New(t, sshtest.Options{Dial: r.dial})
		cfg := sshtunnel.Config{
			Address: bastion(n), User: "tunnel", Via: via, Backoff: -1,
			HostKeys:    sshtunnel.PinnedKeys(r.servers[bastion(n)].HostKey()),
			Credentials: credentials(sshtunnel.StaticSigners(userKey())),
		}
		if n == 1 {
			turn(&cfg)
		}
		r.last = newDialer(t, cfg)
		via = r.last
	}
	return r
}

// TestDeniedOnTheWay: what forbids the way to a bastion has not forbidden the
// destination, so another route is tried; what the last bastion forbids is.
func TestDeniedOnTheWay(t *testing.T) {
	denied := &dialer.Error{Hop: dialer.HopPolicy, Err: dialer.ErrDenied}
	for _, tt := range []struct {
		name    string
		via     error // of the first bastion's Via
		admit   error // of its Admit
		keys    error // of its HostKeys
		forbids int   // the number of a bastion
		hop     string
		final   bool
	}{
		{name: "PolicyBeforeTheFirst", via: denied, hop: "ssh " + bastion(1)},
		{name: "SystemBeforeTheFirst", via: syscall.EACCES, hop: "ssh " + bastion(1)},
		{name: "ProxyBeforeTheFirst", via: &dialer.Error{Hop: dialer.HopProxy, Err: dialer.ErrDenied}, hop: dialer.HopProxy},
		{name: "GivenUpBeforeTheFirst", via: context.Canceled, hop: "ssh " + bastion(1)},
		{name: "NotAdmitted", admit: syscall.EACCES, hop: "ssh " + bastion(1)},
		{name: "KeysUnreadable", keys: syscall.EACCES, hop: "ssh " + bastion(1)},
		{name: "CertificateUnreadable", keys: &sshtunnel.HostKeyError{Reason: sshtunnel.BadCertificate, Err: syscall.EACCES}, hop: "ssh " + bastion(1)},
		{name: "FirstForbidsSecond", forbids: 1, hop: "ssh " + bastion(1)},
		{name: "SecondForbidsThird", forbids: 2, hop: "ssh " + bastion(2)},
		{name: "LastForbidsDestination", forbids: 3, hop: "ssh " + bastion(3), final: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoad(t, func(c *sshtunnel.Config) {
					if tt.via != nil {
						c.Via = dialer.Func(func(context.Context, string, string) (net.Conn, error) { return nil, tt.via })
					}
					if tt.keys != nil {
						c.HostKeys = noKeys{tt.keys}
					}
					c.Admit = func(context.Context) (func(), error) { return nil, tt.admit }
				})
				if tt.forbids > 0 {
					r.servers[bastion(tt.forbids)].Set(forbids)
				}
				err := refusedDial(t, r.last, "tcp", anywhere)
				de, ok := errors.AsType[*dialer.Error](err)
				if !ok || de.Hop != tt.hop || de.Address != anywhere {
					t.Errorf("got %v; want it at hop %s", err, tt.hop)
				}
				if errors.Is(err, dialer.ErrDenied) != tt.final || dialer.Retryable(err) == tt.final {
					t.Errorf("%v: denied %t, another route may be tried %t", err, errors.Is(err, dialer.ErrDenied), dialer.Retryable(err))
				}
				if tt.forbids > 0 {
					open, ok := errors.AsType[*sshtunnel.OpenError](err)
					if !ok || open.Reason != ssh.Prohibited {
						t.Errorf("%v does not carry the server's reason", err)
					}
				}
				if hk := new(sshtunnel.HostKeyError); errors.As(tt.keys, &hk) && !errors.As(err, &hk) {
					t.Errorf("%v does not carry what is wrong with the key", err)
				}
				checkFailover(t, r.last, tt.final)
			})
		})
	}
}

// checkFailover wants a second route to be taken, or, where what the first one says
// is final, not to be asked.
func checkFailover(t *testing.T, first dialer.Dialer, final bool) {
	t.Helper()
	second, _ := inMemory(t, sshtest.Knobs{})
	both := testkit.Must(selector.Failover(selector.Route{Name: "first", Dialer: first}, selector.Route{Name: "second", Dialer: second}))(t)
	if !final {
		talk(t, dial(t, both, "tcp", anywhere), "by the second")
		return
	}
	if err := refusedDial(t, both, "tcp", anywhere); !errors.Is(err, dialer.ErrDenied) {
		t.Errorf("got %v; want it denied", err)
	}
	if s := second.Status(); s.State != sshtunnel.Idle {
		t.Errorf("the second route was taken after a denial: %+v", s)
	}
}

// TestDeniedWayIsLeftAlone: the way is as closed to the dials that wait after a
// failed handshake, and other routes stay open to them.
func TestDeniedWayIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoad(t, func(c *sshtunnel.Config) {
			c.Backoff = time.Minute
			c.Via = dialer.Func(func(context.Context, string, string) (net.Conn, error) { return nil, dialer.ErrDenied })
		})
		for range 2 {
			if err := refusedDial(t, r.last, "tcp", anywhere); !dialer.Retryable(err) {
				t.Errorf("%v: no other route may be tried", err)
			}
		}
		if err := refusedDial(t, r.last, "tcp", anywhere); !errors.As(err, new(*sshtunnel.BackoffError)) {
			t.Errorf("got %v; want a BackoffError", err)
		}
	})
}

// ownError is a caller's.
type ownError struct{ code int }

func (e *ownError) Error() string { return "the caller's own" }

// TestWayKeepsTheCause: what is hidden of a way that is forbidden or given up is that
// it was, and nothing else of its error.
func TestWayKeepsTheCause(t *testing.T) {
	sentinel := errors.New("a sentinel")
	hidden := []error{dialer.ErrDenied, syscall.EACCES, syscall.EPERM, context.Canceled}
	for _, kind := range append(hidden, &dialer.RemoteError{Kind: dialer.Denied}) {
		t.Run(kind.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRoad(t, func(c *sshtunnel.Config) {
					c.Via = dialer.Func(func(context.Context, string, string) (net.Conn, error) {
						return nil, fmt.Errorf("%w, %w: %w", sentinel, &ownError{7}, kind)
					})
				})
				err := refusedDial(t, r.last, "tcp", anywhere)
				if own, ok := errors.AsType[*ownError](err); !ok || own.code != 7 || !errors.Is(err, sentinel) || !errors.Is(err, own) {
					t.Errorf("%v does not carry the caller's errors", err)
				}
				for _, not := range hidden {
					if errors.Is(err, not) {
						t.Errorf("%v passes for %v", err, not)
					}
				}
				if k := dialer.KindOf(err); k != dialer.Other {
					t.Errorf("the kind is %v", k)
				}
				checkFailover(t, r.last, false)
			})
		})
	}
}

// noKeys are host keys that cannot be had.
type noKeys struct{ err error }

func (k noKeys) Verify(string, net.Addr, ssh.PublicKey) error { return k.err }
func (noKeys) Algorithms(string) []string                     { return []string{ssh.KeyAlgoED25519} }
