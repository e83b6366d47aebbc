package sshtunnel_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// Each destination goes through the node it lives on, as it was written, and what
// lives on none is refused without a word to anybody.
func TestPoolMapsDestinations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		a, b := f.node("a", "node-a", "2001:db8::a"), f.node("b", "node-b")
		a.CIDRs, b.CIDRs = networks("10.244.0.0/16"), networks("10.244.1.0/24")
		p := f.pool(list(t, a, b))
		for _, c := range []struct{ node, address string }{
			{"a", "node-a:10250"},
			{"a", "NODE-A.:10250"},
			{"a", "[2001:db8::a]:443"},
			{"a", "10.244.9.9:80"},
			{"b", "10.244.1.9:80"},
			{"b", "[::ffff:10.244.1.9]:80"},
			{"b", "node-b:1"},
		} {
			conn := dial(t, p, "tcp", c.address)
			talk(t, conn, "hello")
			conn.Close()
			if got := f.last(c.node); got != "tcp "+c.address {
				t.Errorf("%s was asked for %q, want %q", c.node, got, c.address)
			}
		}
		for _, address := range []string{"node-c:10250", "10.245.0.1:80", "a:22", "[2001:db8::b]:443"} {
			err := refusedDial(t, p, "tcp", address)
			de, ok := errors.AsType[*dialer.Error](err)
			if !ok || de.Hop != dialer.HopSelect || !errors.Is(err, dialer.ErrNoRoute) || !strings.Contains(err.Error(), "there is no default") {
				t.Errorf("%s: %v", address, err)
			}
		}
		for _, address := range []string{"0xaf40109:80", "10.244.257:80", "10.244.1.9%eth0:80", "node-a", ":80", "no de:80"} {
			if de, ok := errors.AsType[*dialer.Error](refusedDial(t, p, "tcp", address)); !ok || de.Hop != dialer.HopSelect {
				t.Errorf("%q: %v, want an error at the hop select", address, de)
			}
		}
		if err := refusedDial(t, p, "unix", "/run/a.sock"); !errors.Is(err, dialer.ErrNoRoute) {
			t.Errorf("unix: %v", err)
		}
		for name, s := range map[string]*sshtest.Server{"a": f.server("a"), "b": f.server("b")} {
			if n := len(s.Logins()); n != 1 {
				t.Errorf("%d handshakes with %s, want one that all shared", n, name)
			}
		}
	})
}

func TestPoolDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "bastion")
		bastion := f.node("bastion")
		bastion.User = "jump"
		p := f.pool(list(t, f.node("a", "node-a")), func(c *sshtunnel.PoolConfig) { c.Default = &bastion })
		dial(t, p, "tcp", "node-a:1")
		dial(t, p, "tcp", "203.0.113.9:443")
		if f.last("a") != "tcp node-a:1" || f.last("bastion") != "tcp 203.0.113.9:443" {
			t.Errorf("a was asked for %q, bastion for %q", f.last("a"), f.last("bastion"))
		}
		if a, b := f.server("a").Logins()[0].User, f.server("bastion").Logins()[0].User; a != "egress" || b != "jump" {
			t.Errorf("logged in as %q and %q", a, b)
		}
		s := statusOf(p, "bastion")
		if !s.Default || s.State != sshtunnel.Connected || s.User != "jump" || s.Conns != 1 {
			t.Errorf("%+v", s)
		}
		// What cannot be read is nobody's, not the bastion's.
		if err := refusedDial(t, p, "tcp", "0x7f.1:80"); errors.Is(err, dialer.ErrNoRoute) {
			t.Errorf("%v", err)
		}
		// A node of the list does not stand in for another, nor does the Default for
		// a node that is down.
		f.server("a").Kill()
		synctest.Wait()
		err := refusedDial(t, p, "tcp", "node-a:1")
		if de, ok := errors.AsType[*dialer.Error](err); !ok || de.Hop != "ssh a" || !errors.Is(err, dialer.ErrRefused) || !dialer.Retryable(err) {
			t.Errorf("%v", err)
		}
	})
}

func TestPoolLocate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b", "bastion")
		bastion, down := f.node("bastion"), errors.New("the informer has not synced")
		var heard string
		p := f.pool(list(t, f.node("a", "node-a"), f.node("b")), func(c *sshtunnel.PoolConfig) {
			c.Default = &bastion
			c.Locate = func(_ context.Context, host string) (string, error) {
				heard = host
				switch host {
				case "10.1.2.3", "node-a":
					return "b", nil
				case "lost":
					return "node-9", nil
				case "bad":
					return "bastion", nil
				case "down":
					return "", down
				}
				return "", nil
			}
		})
		dial(t, p, "tcp", "[::ffff:10.1.2.3]:80")
		if heard != "10.1.2.3" || f.last("b") != "tcp [::ffff:10.1.2.3]:80" {
			t.Errorf("Locate heard %q, b was asked for %q", heard, f.last("b"))
		}
		// It decides, also over the lists.
		dial(t, p, "tcp", "NODE-A:80")
		if heard != "node-a" || f.last("b") != "tcp NODE-A:80" {
			t.Errorf("Locate heard %q, b was asked for %q", heard, f.last("b"))
		}
		dial(t, p, "tcp", "elsewhere:80")
		if f.last("bastion") != "tcp elsewhere:80" {
			t.Errorf("bastion was asked for %q", f.last("bastion"))
		}
		// A node that is not there, and an error, do not fall to the Default; nor is
		// the Default a node to be located on.
		for host, want := range map[string]string{"lost": `there is no node "node-9"`, "bad": `there is no node "bastion"`, "down": down.Error()} {
			err := refusedDial(t, p, "tcp", host+":80")
			if de, ok := errors.AsType[*dialer.Error](err); !ok || de.Hop != dialer.HopSelect || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", host, err, want)
			}
		}
		if f.last("a") != "" || f.last("bastion") != "tcp elsewhere:80" {
			t.Errorf("a was asked for %q, bastion for %q", f.last("a"), f.last("bastion"))
		}
	})
}

func TestPoolOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "bastion")
		bastion := f.node("bastion")
		p := f.pool(list(t, f.node("a")), func(c *sshtunnel.PoolConfig) { c.Default = &bastion })
		c := dial(t, p.On("a"), "unix", "/run/a.sock")
		talk(t, c, "hello")
		dial(t, p.On("bastion"), "tcp", "127.0.0.1:80")
		if f.last("a") != "unix /run/a.sock" || f.last("bastion") != "tcp 127.0.0.1:80" {
			t.Errorf("a was asked for %q, bastion for %q", f.last("a"), f.last("bastion"))
		}
		for _, name := range []string{"", "b"} {
			if err := refusedDial(t, p.On(name), "tcp", "127.0.0.1:80"); !errors.Is(err, dialer.ErrNoRoute) {
				t.Errorf("on %q: %v", name, err)
			}
			if err := dialer.Ready(p.On(name)); !errors.Is(err, dialer.ErrNoRoute) {
				t.Errorf("on %q: ready %v", name, err)
			}
		}
		if err := errors.Join(dialer.Ready(p.On("a")), dialer.Ready(p.On("bastion"))); err != nil {
			t.Error(err)
		}
	})
}

// One node that fails is left alone for a while, and nobody else is.
func TestPoolBackoffIsEachNodesOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		p := f.pool(list(t, f.node("a", "node-a"), f.node("b", "node-b")))
		f.server("a").Kill()
		refusedDial(t, p, "tcp", "node-a:1")
		err := refusedDial(t, p, "tcp", "node-a:1")
		if _, ok := errors.AsType[*sshtunnel.BackoffError](err); !ok || !errors.Is(err, dialer.ErrRefused) || !dialer.Retryable(err) {
			t.Errorf("%v", err)
		}
		dial(t, p, "tcp", "node-b:1")
		if s := statusOf(p, "a"); s.State != sshtunnel.Waiting || s.Err == nil || s.RetryAt.IsZero() {
			t.Errorf("%+v", s)
		}
		if dialer.Ready(p.On("a")) == nil || dialer.Ready(p.On("b")) != nil || p.Ready() != nil {
			t.Errorf("ready: a %v, b %v, the pool %v", dialer.Ready(p.On("a")), dialer.Ready(p.On("b")), p.Ready())
		}
		f.server("b").Kill()
		synctest.Wait()
		refusedDial(t, p, "tcp", "node-b:1")
		if err := p.Ready(); err == nil || !strings.Contains(err.Error(), "node a: ") || !strings.Contains(err.Error(), "node b: ") {
			t.Errorf("ready while no node may be tried: %v", err)
		}
		f.server("a").Restart(t)
		time.Sleep(time.Until(statusOf(p, "a").RetryAt))
		dial(t, p, "tcp", "node-a:1")
		if err := p.Ready(); err != nil {
			t.Error(err)
		}
	})
}

func TestPoolClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		p := f.pool(list(t, f.node("a", "node-a"), f.node("b", "node-b")))
		c := dial(t, p, "tcp", "node-a:1")
		f.server("b").Set(func(k *sshtest.Knobs) { k.Silent = true })
		hanging := make(chan error)
		go func() {
			_, err := p.DialContext(t.Context(), "tcp", "node-b:1")
			hanging <- err
		}()
		synctest.Wait()
		if err := errors.Join(p.Close(), p.Close()); err != nil {
			t.Error(err)
		}
		if err := <-hanging; err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("the dial that waited: %v", err)
		}
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a conn outlived the pool")
		}
		for _, d := range []dialer.Dialer{p, p.On("a")} {
			if err := refusedDial(t, d, "tcp", "node-a:1"); !errors.Is(err, sshtunnel.ErrPoolClosed) || !errors.Is(dialer.Ready(d), sshtunnel.ErrPoolClosed) {
				t.Errorf("%v, ready %v", err, dialer.Ready(d))
			}
		}
		if n := settled(f.server("a").Conns); n != 0 {
			t.Errorf("%d clients left", n)
		}
	})
}

func TestPoolStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		a, b := f.node("a", "node-a"), f.node("b", "node-b")
		b.User = "other"
		p := f.pool(list(t, b, a))
		c := dial(t, p, "tcp", "node-a:1")
		var got []string
		for _, s := range p.Nodes() {
			got = append(got, fmt.Sprint(s.Name, " ", s.Address, " ", s.Server, " ", s.User, " ", s.State, " ", s.Conns))
		}
		if want := "a a:22 a:22 egress connected 1, b b:22 b:22 other idle 0"; strings.Join(got, ", ") != want {
			t.Errorf("%q, want %q", got, want)
		}
		if s := p.Status(); s != (sshtunnel.PoolStatus{Nodes: 2, Clients: 1}) {
			t.Errorf("%+v", s)
		}
		c.Close()
		// An idle client is closed, and the node stays.
		time.Sleep(sshtunnel.DefaultIdleTimeout + time.Minute)
		if n := settled(f.server("a").Conns); n != 0 || statusOf(p, "a").State != sshtunnel.Idle {
			t.Errorf("%d clients, %+v", n, statusOf(p, "a"))
		}
		dial(t, p, "tcp", "node-a:1")
	})
}

// A dial whose context has ended asks nobody.
func TestPoolEndedContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a")
		p := f.pool(list(t, f.node("a", "node-a")))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c, err := p.DialContext(ctx, "tcp", "node-a:1")
		if c != nil || !errors.Is(err, context.Canceled) || dialer.Retryable(err) {
			t.Errorf("%v, %v", c, err)
		}
		if n := f.server("a").Accepted(); n != 0 {
			t.Errorf("%d connections", n)
		}
	})
}
