package suite

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/konnectivity"
)

// cut wants c to end, and soon.
func cut(t *testing.T, c net.Conn) {
	t.Helper()
	err := bounded(patience/2, func() error {
		_, err := c.Read(make([]byte, 1))
		return err
	})
	if err == nil || err == errSlow {
		t.Errorf("after a loss Read returned %v, want an end", err)
	}
	bounded(patience, c.Close)
}

// talking is a conn that has been used.
func talking(t *testing.T, d dialer.Dialer, address string) net.Conn {
	t.Helper()
	c := dial(t, d, address)
	if err := exchange(c, "hello"); err != nil {
		t.Fatal(err)
	}
	return c
}

func (y *way) agentLost(t *testing.T) {
	_, d, stop := y.open(t)
	c := talking(t, d, echo(t))
	stop()
	cut(t, c)
}

func (y *way) frontLost(t *testing.T) {
	w := newWorld(t, nil)
	y.attach(w, "edge")
	f := w.front(y.mode, y.network)
	gone := make(chan struct{}, 1)
	c := talking(t, w.through(f, y.client), target(t, func(c net.Conn) {
		io.Copy(c, c)
		gone <- struct{}{}
	}))
	f.stop()
	cut(t, c)
	select {
	case <-gone:
	case <-time.After(patience / 2):
		t.Error("the target did not see that its client's end was lost")
	}
}

func (y *way) serverLost(t *testing.T) {
	w, d, _ := y.open(t)
	c := talking(t, d, echo(t))
	w.server.Close()
	cut(t, c)
}

// duplicateIDs: two agents of one id serve together, and each alone.
func (y *way) duplicateIDs(t *testing.T) {
	w, d, stop := y.open(t)
	address := echo(t)
	before := talking(t, d, address)
	stopSecond := y.attach(w, "edge")
	if n := w.count("edge"); n != 2 {
		t.Fatalf("%d tunnels of the agent, want 2", n)
	}
	for range 10 {
		talking(t, d, address)
	}
	if err := exchange(before, "still here"); err != nil {
		t.Errorf("a connection from before the second agent: %v", err)
	}
	stop()
	eventually(t, "the first agent is gone", func() bool { return w.count("edge") == 1 })
	for range 10 {
		talking(t, d, address)
	}
	stopSecond()
}

// twoServers: one agent at two servers, each with a front end.
func (y *way) twoServers(t *testing.T) {
	ca := testpki.MustCA(t, "test")
	address := echo(t)
	var first func()
	for i, id := range []string{"srv-1", "srv-2"} {
		w := newWorldOf(t, ca, func(c *konnectivity.ServerConfig) { c.ID, c.ServerCount = id, 2 })
		y.attach(w, "edge")
		d := w.through(w.front(y.mode, y.network), y.client)
		c := talking(t, d, address)
		if i == 0 {
			first = func() { w.server.Close(); cut(t, c) }
			continue
		}
		first() // which is nothing to the second
		if err := exchange(c, "still here"); err != nil {
			t.Error(err)
		}
		talking(t, d, address)
	}
}

// cancel: a client that gives up takes its dial along, down to the agent's.
func (y *way) cancel(t *testing.T) {
	for _, p := range []konnectivity.Protocol{konnectivity.ProtocolYamux, konnectivity.ProtocolGRPC} {
		w, d, _ := y.open(t)
		h := newHanging()
		w.agent("edge", func(c *konnectivity.AgentConfig) { c.Resolver, c.Protocols = h, []konnectivity.Protocol{p} })
		ctx, cancel := context.WithCancel(context.Background())
		failed := make(chan error, 1)
		go func() {
			_, err := d.DialContext(ctx, "tcp", "hanging.test:443")
			failed <- err
		}()
		wait(t, "the dial to begin", h.began)
		cancel()
		wait(t, "the agent to give up", h.ended)
		if err := bounded(patience, func() error { return <-failed }); err == nil || err == errSlow {
			t.Errorf("the dial returned %v, want an error", err)
		}
	}
}

func wait(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(patience):
		t.Fatalf("waiting in vain for %s", what)
	}
}

// drain: an agent that leaves keeps its connections and gets no new ones.
func (y *way) drain(t *testing.T) {
	w, d, _ := y.open(t)
	stop := w.agent("leaving", func(c *konnectivity.AgentConfig) { c.DrainTimeout = time.Hour })
	address := echo(t)
	old := talking(t, d, address)
	left := make(chan struct{})
	go func() { defer close(left); stop() }() // which waits for old
	info := func(id string) (found konnectivity.AgentInfo) {
		for _, a := range w.server.Agents() {
			if a.ID == id {
				found = a
			}
		}
		return found
	}
	eventually(t, "the agent drains", func() bool { return info("leaving").Draining })
	w.agent("staying", nil)
	for range 10 {
		talking(t, d, address)
	}
	if n := info("leaving").Conns; n != 1 {
		t.Errorf("the agent that leaves has %d connections, want the 1 it had", n)
	}
	if err := exchange(old, "still here"); err != nil {
		t.Errorf("its connection: %v", err)
	}
	bounded(patience, old.Close)
	wait(t, "the agent to leave", left)
}
