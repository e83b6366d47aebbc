package sshtunnel_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/sshtunnel"
)

// A node that is gone gets no new dials at once; its conns go on, and the last one
// takes the client along.
func TestPoolNodeGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		a, b := f.node("a", "node-a"), f.node("b", "node-b")
		nodes := live(t, a, b)
		p := f.pool(nodes)
		one, two := dial(t, p, "tcp", "node-a:1"), dial(t, p, "tcp", "node-a:2")
		update(t, nodes, b)
		if err := refusedDial(t, p, "tcp", "node-a:1"); !errors.Is(err, dialer.ErrNoRoute) {
			t.Errorf("%v", err)
		}
		if s := p.Status(); s.Nodes != 1 || s.Clients != 1 || s.Gone != 1 {
			t.Errorf("%+v", s)
		}
		if s := statusOf(p, "a"); !s.Gone || s.State != sshtunnel.Connected || s.Conns != 2 {
			t.Errorf("%+v", s)
		}
		one.Close()
		time.Sleep(time.Minute) // it is not for want of time that the client stays
		talk(t, two, "still here")
		two.Close()
		time.Sleep(2 * time.Second)
		if n := settled(f.server("a").Conns); n != 0 {
			t.Errorf("%d clients after the last conn", n)
		}
		if s := p.Status(); s.Clients != 0 || s.Gone != 0 {
			t.Errorf("%+v", s)
		}
		// It comes back as a new one.
		update(t, nodes, a, b)
		dial(t, p, "tcp", "node-a:1")
		if n := len(f.server("a").Logins()); n != 2 {
			t.Errorf("%d handshakes", n)
		}
	})
}

// A client without conns goes with its node at once.
func TestPoolIdleNodeGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		nodes := live(t, f.node("a", "node-a"), f.node("b", "node-b"))
		p := f.pool(nodes)
		dial(t, p, "tcp", "node-a:1").Close()
		synctest.Wait()
		update(t, nodes, f.node("b", "node-b"))
		if s := settled(p.Status); s.Nodes != 1 {
			t.Errorf("%+v", s)
		}
		time.Sleep(2 * time.Second)
		if n := settled(f.server("a").Conns); n != 0 || p.Status().Gone != 0 {
			t.Errorf("%d clients, %+v", n, p.Status())
		}
	})
}

// A dial that is under way when its node goes may end well, and its conn is the
// node's last.
func TestPoolNodeGoesDuringADial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		nodes := live(t, f.node("a", "node-a"), f.node("b", "node-b"))
		p := f.pool(nodes)
		f.server("a").Set(func(k *sshtest.Knobs) { k.IgnoreOpens = true })
		dialed := make(chan net.Conn)
		go func() {
			c, err := p.DialContext(t.Context(), "tcp", "node-a:1")
			if err != nil {
				t.Error(err)
			}
			dialed <- c
		}()
		synctest.Wait()
		update(t, nodes, f.node("b", "node-b"))
		if s := settled(p.Status); s.Gone != 1 {
			t.Errorf("%+v", s)
		}
		f.server("a").Release()
		c := <-dialed
		talk(t, c, "made it")
		c.Close()
		time.Sleep(2 * time.Second)
		if n := settled(f.server("a").Conns); n != 0 || p.Status().Gone != 0 {
			t.Errorf("%d clients, %+v", n, p.Status())
		}
	})
}

// Another address or user is another client; other destinations or keys are not.
func TestPoolNodeChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		node := f.node("a", "node-a")
		nodes := live(t, node)
		p := f.pool(nodes)
		dial(t, p, "tcp", "node-a:1")
		node.Hosts = []string{"node-a", "other"}
		node.HostKeys = sshtunnel.PinnedKeys(newTestKey(t))
		update(t, nodes, node)
		dial(t, p, "tcp", "other:1") // the handshake is over, so the key does not count yet
		if n := len(f.server("a").Logins()); n != 1 {
			t.Errorf("%d handshakes", n)
		}
		f.server("a").DropConns()
		synctest.Wait()
		err := refusedDial(t, p, "tcp", "node-a:1")
		if _, ok := errors.AsType[*sshtunnel.HostKeyError](err); !ok {
			t.Errorf("%v, want that the key is refused", err)
		}
		node = f.node("a", "node-a")
		node.User = "other"
		update(t, nodes, node)
		c := dial(t, p, "tcp", "node-a:1") // no backoff: it is another client
		if all := f.server("a").Logins(); len(all) != 2 || all[1].User != "other" {
			t.Errorf("%+v", all)
		}
		node.Address, node.HostKeys = "b:22", sshtunnel.PinnedKeys(f.server("b").HostKey())
		update(t, nodes, node)
		dial(t, p, "tcp", "node-a:1")
		if f.last("b") != "tcp node-a:1" {
			t.Errorf("b was asked for %q", f.last("b"))
		}
		talk(t, c, "still here")
	})
}

// Nodes that go again and again do not pile up for as long as their conns last.
func TestPoolBoundsNodesThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b", "c")
		nodes := live(t, f.node("a", "node"))
		p := f.pool(nodes, func(c *sshtunnel.PoolConfig) { c.MaxNodes = 1 })
		a := dial(t, p, "tcp", "node:1")
		update(t, nodes, f.node("b", "node"))
		b := dial(t, p, "tcp", "node:1")
		update(t, nodes, f.node("c", "node"))
		c := dial(t, p, "tcp", "node:1")
		synctest.Wait()
		if _, err := b.Read(make([]byte, 1)); err == nil {
			t.Error("a second node is gone, and its conn goes on")
		}
		talk(t, a, "still here")
		talk(t, c, "still here")
		if s := p.Status(); s.Clients != 2 || s.Gone != 1 {
			t.Errorf("%+v", s)
		}
	})
}

// The file is followed: a pool over it needs nobody to tell it.
func TestPoolFollowsAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		path := filepath.Join(t.TempDir(), "nodes.yaml")
		write := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		entry := func(name, host string) string {
			return "- name: " + name + "\n  address: " + name + ":22\n  hosts: [" + host + "]\n  hostKeys: ['" + ssh.FingerprintSHA256(f.server(name).HostKey()) + "']\n"
		}
		write(entry("a", "node"))
		file := testkit.Must(sshtunnel.NewNodesFile(path, sshtunnel.FileOptions{}))(t)
		p := f.pool(file)
		c := dial(t, p, "tcp", "node:1")
		write(entry("b", "node"))
		time.Sleep(2 * time.Second) // of the bubble: the default of Recheck is one
		dial(t, p, "tcp", "node:2")
		if f.last("a") != "tcp node:1" || f.last("b") != "tcp node:2" {
			t.Errorf("a was asked for %q, b for %q", f.last("a"), f.last("b"))
		}
		write("")
		time.Sleep(2 * time.Second)
		dial(t, p, "tcp", "node:3")
		if s := p.Status(); s.NodesErr == nil || !strings.Contains(s.NodesErr.Error(), path) {
			t.Errorf("%+v", s)
		}
		talk(t, c, "still here")
	})
}
