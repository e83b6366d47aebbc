package konnectivity

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

func TestServerRestart(t *testing.T) { eachLink(t, testServerRestart) }

func testServerRestart(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	cfg := w.agentConfig("edge", everywhere)
	cfg.MinBackoff, cfg.MaxBackoff = 0, 0 // the defaults are what must be fast enough
	w.run(cfg)
	to := echo(t)
	before := dial(t, w.srv, to)
	talk(t, before, "before")
	w.srv.Close()
	if _, err := before.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read on a connection of a closed server: %v, want an error that is not EOF", err)
	}
	if _, err := w.srv.DialContext(context.Background(), "tcp", to); !errors.Is(err, ErrServerClosed) {
		t.Errorf("dial on a closed server: %v", err)
	}
	srv, err := NewServer(w.srv.cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.srv = srv
	restarted := time.Now()
	w.listen(w.addr)
	eventually(t, "the agent back", func() bool { return w.knows("edge") })
	if took := time.Since(restarted); took > 3*time.Second {
		t.Errorf("the agent came back after %v", took)
	}
	talk(t, dial(t, w.srv, to), "after")
}

func TestFrozenPath(t *testing.T) { eachLink(t, testFrozenPath) }

func testFrozenPath(t *testing.T, link linkCase) {
	leak.Check(t)
	const beat = 50 * time.Millisecond
	w := link.world(t, func(c *ServerConfig) { c.KeepAlive = beat })
	p := newPath(t, w.addr)
	cfg := w.agentConfig("edge", everywhere)
	cfg.KeepAlive, cfg.Servers = beat, []string{p.ln.Addr().String()}
	agent, _ := w.run(cfg)
	to := echo(t)
	c := dial(t, w.srv, to)
	talk(t, c, "alive")

	p.frozen.Store(true)
	pending := make(chan error, 1)
	go func() { _, err := w.srv.DialContext(context.Background(), "tcp", to); pending <- err }()
	_, err := c.Read(make([]byte, 1))
	if err == nil || err == io.EOF {
		t.Errorf("established connection: %v, want an error that is not EOF", err)
	}
	err = <-pending
	de, ok := errors.AsType[*dialer.Error](err)
	if !ok || !de.Timeout() || !strings.Contains(de.Hop, "agent edge") {
		t.Errorf("pending dial: %v, want a timeout at agent edge", err)
	}
	eventually(t, "the server notices", func() bool { return !w.knows("edge") })
	eventually(t, "the agent notices", func() bool { return agent.Ready() != nil })
}

func TestShortDeadlineOnFrozenPath(t *testing.T) { eachLink(t, testShortDeadlineOnFrozenPath) }

func testShortDeadlineOnFrozenPath(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	p := newPath(t, w.addr)
	cfg := w.agentConfig("edge", everywhere)
	cfg.Servers = []string{p.ln.Addr().String()}
	w.run(cfg)
	p.frozen.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := w.srv.DialContext(ctx, "tcp", "127.0.0.1:1")
	de, ok := errors.AsType[*dialer.Error](err)
	if !ok || !de.Timeout() || !de.At(dialer.HopAgent) {
		t.Errorf("%v, want a timeout at the agent", err)
	}
}

func TestNextAgentIsTriedWhenOneFails(t *testing.T) { eachLink(t, testNextAgentIsTriedWhenOneFails) }

func testNextAgentIsTriedWhenOneFails(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	p := newPath(t, w.addr)
	cfg := w.agentConfig("frozen", Identifiers{CIDRs: everywhereCIDR})
	cfg.Servers = []string{p.ln.Addr().String()}
	w.run(cfg)
	w.run(w.agentConfig("healthy", everywhere)) // a lower tier: tried second
	p.frozen.Store(true)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := w.srv.DialContext(ctx, "tcp", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	talk(t, c, "by the other agent")
}

func TestDrainingAgentIsTheLastChoice(t *testing.T) { eachLink(t, testDrainingAgentIsTheLastChoice) }

func testDrainingAgentIsTheLastChoice(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	to := echo(t)
	cfg := w.agentConfig("leaving", Identifiers{CIDRs: everywhereCIDR})
	cfg.DrainTimeout = 10 * time.Second
	_, stop := w.run(cfg)
	held := dial(t, w.srv, to)
	talk(t, held, "held")
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	eventually(t, "draining", func() bool { return w.srv.Agents()[0].Draining })
	if w.srv.Ready() == nil {
		t.Error("ready with nothing but a draining agent")
	}
	only := dial(t, w.srv, to)
	talk(t, only, "nobody else is there")
	only.Close()
	w.run(w.agentConfig("staying", everywhere))
	talk(t, dial(t, w.srv, to), "new")
	for _, a := range w.srv.Agents() {
		if a.ID == "leaving" && a.Conns != 1 {
			t.Errorf("the draining agent has %d connections, want the 1 it had", a.Conns)
		}
	}
	talk(t, held, "still held")
	held.Close()
	<-stopped // the drain ends with the last connection, long before its timeout
}

func TestShutdownWaitsForConnections(t *testing.T) { eachLink(t, testShutdownWaitsForConnections) }

func testShutdownWaitsForConnections(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	w.run(w.agentConfig("edge", everywhere))
	to := echo(t)
	c := dial(t, w.srv, to)
	talk(t, c, "before")
	done := make(chan error, 1)
	go func() { done <- w.srv.Shutdown(context.Background()) }()
	eventually(t, "no new dials", func() bool {
		c, err := w.srv.DialContext(context.Background(), "tcp", to)
		if err == nil {
			c.Close() // it came before Shutdown
		}
		return errors.Is(err, ErrServerClosed)
	})
	talk(t, c, "during")
	select {
	case err := <-done:
		t.Fatalf("Shutdown returned with a connection open: %v", err)
	default:
	}
	c.Close()
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}

	w2 := link.world(t, nil)
	w2.run(w2.agentConfig("edge", everywhere))
	c = dial(t, w2.srv, to)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := w2.srv.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown with an ended context: %v", err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("read after a forced shutdown: %v", err)
	}
}

func TestAgentReplacesItsOwnOldTunnel(t *testing.T) { eachLink(t, testAgentReplacesItsOwnOldTunnel) }

func testAgentReplacesItsOwnOldTunnel(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	p := newPath(t, w.addr)
	cfg := w.agentConfig("edge", everywhere)
	cfg.KeepAlive = 50 * time.Millisecond // the agent notices first, the server much later
	cfg.Servers = []string{p.ln.Addr().String()}
	w.run(cfg)
	p.frozen.Store(true)
	eventually(t, "the agent gives the tunnel up", func() bool { return strings.Contains(w.agentLogs.String(), "tunnel lost") })
	p.frozen.Store(false) // new connections get through, the old one stays frozen
	eventually(t, "a second tunnel", func() bool { return len(w.srv.Agents()) == 2 })
	for range 10 {
		c := dial(t, w.srv, echo(t))
		talk(t, c, "through the new tunnel")
		c.Close()
	}
}
