package sshtunnel_test

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// TestServerKilledAndRestarted: what is under way ends with an error, the next
// dial connects anew, and nothing stays behind.
func TestServerKilledAndRestarted(t *testing.T) {
	leak.Check(t) // the server included
	server := sshtest.Start(t, sshtest.Options{})
	killedAndRestarted(t, ours{server}, server.Kill, func() { server.Restart(t) })
}

func killedAndRestarted(t *testing.T, ep endpoint, kill, restart func()) {
	t.Helper()
	target := echo(t)
	d := through(t, ep)
	goroutines, descriptors := len(leak.Goroutines()), leak.Descriptors()
	for range 3 {
		var reading sync.WaitGroup
		ends := make(chan error, 16)
		conns := make([]net.Conn, cap(ends))
		for i := range conns {
			c := dial(t, d, "tcp", target)
			talk(t, c, "before")
			conns[i] = c
			reading.Go(func() {
				_, err := c.Read(make([]byte, 1))
				ends <- err
			})
		}
		kill()
		for range conns {
			if err := <-ends; err == nil || err == io.EOF || dialer.KindOf(err) == dialer.Timeout {
				t.Errorf("a conn in flight ended with %v; want an error that is no EOF and no timeout", err)
			}
		}
		reading.Wait()
		for _, c := range conns {
			if _, err := c.Write([]byte("x")); err == nil {
				t.Error("writing goes on through a dead server")
			}
			c.Close()
		}
		err := refusedDial(t, d, "tcp", target)
		if !dialer.Retryable(err) {
			t.Errorf("no other route may be tried after %v", err)
		}
		if s := d.Status(); s.Conns != 0 || s.Err == nil {
			t.Errorf("with the server down the status is %+v", s)
		}
		returned(t, goroutines, descriptors)
		restart()
		reaches(t, d, target)
		goroutines, descriptors = max(goroutines, len(leak.Goroutines())), max(descriptors, leak.Descriptors())
	}
}

// TestStoppedServerIsNoticed is TestFrozenPathIsNoticed over sockets.
func TestStoppedServerIsNoticed(t *testing.T) {
	server := sshtest.Start(t, sshtest.Options{})
	stoppedServer(t, ours{server}, server.Freeze, server.Thaw)
}

func stoppedServer(t *testing.T, ep endpoint, freeze, thaw func()) {
	t.Helper()
	leak.Check(t)
	target := echo(t)
	d := through(t, ep, func(c *sshtunnel.Config) { c.KeepAlive = 100 * time.Millisecond })
	c := dial(t, d, "tcp", target)
	talk(t, c, "before")
	freeze()
	// Without the keepalives it would never end.
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the conn ended with %v", err)
	}
	thaw()
	reaches(t, d, target)
}

// TestServerIsFoundAgainByItself: with the backoff on, dials fail for a while and
// then succeed, with nobody telling them to.
func TestServerIsFoundAgainByItself(t *testing.T) {
	target := echo(t)
	server := sshtest.Start(t, sshtest.Options{})
	d := through(t, ours{server}, func(c *sshtunnel.Config) { c.Backoff = 10 * time.Millisecond })
	reaches(t, d, target)
	server.Kill()
	eventually(t, "the client to end", func() bool { return d.Status().State != sshtunnel.Connected })
	refusedDial(t, d, "tcp", target)
	server.Restart(t)
	eventually(t, "a dial to succeed", func() bool {
		c, err := d.DialContext(t.Context(), "tcp", target)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
	if err := d.Ready(); err != nil {
		t.Errorf("after a success it is not ready: %v", err)
	}
}

// returned waits until there are no more goroutines and descriptors than before.
func returned(t *testing.T, goroutines, descriptors int) {
	t.Helper()
	limit := time.Now().Add(10 * time.Second)
	for {
		left, open := leak.Goroutines(), leak.Descriptors()
		if len(left) <= goroutines && open <= descriptors {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("%d goroutines and %d descriptors are left, before there were %d and %d:\n%s",
				len(left), open, goroutines, descriptors, strings.Join(left, "\n\n"))
		}
		time.Sleep(time.Millisecond) // polling
	}
}
