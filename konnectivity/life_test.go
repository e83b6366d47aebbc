package konnectivity

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// path is a TCP relay between agent and server that can freeze: no bytes, no
// FIN, no RST, as behind a firewall that lost its state.
type path struct {
	ln     net.Listener
	frozen atomic.Bool
	thaw   chan struct{}
	done   sync.WaitGroup
	mu     sync.Mutex
	conns  []net.Conn
}

func newPath(t testing.TB, to string) *path {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &path{ln: ln, thaw: make(chan struct{})}
	p.done.Go(func() {
		for {
			a, err := ln.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", to)
			if err != nil {
				a.Close()
				continue
			}
			p.mu.Lock()
			p.conns = append(p.conns, a, b)
			p.mu.Unlock()
			p.done.Go(func() { p.copy(a, b) })
			p.done.Go(func() { p.copy(b, a) })
		}
	})
	t.Cleanup(func() {
		close(p.thaw)
		ln.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.done.Wait()
	})
	return p
}

func (p *path) copy(dst, src net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		if p.frozen.Load() {
			<-p.thaw
			return
		}
		if n > 0 {
			dst.Write(buf[:n])
		}
		if err != nil {
			dst.Close()
			return
		}
	}
}

func TestServerRestart(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
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

func TestFrozenPath(t *testing.T) {
	leak.Check(t)
	const beat = 50 * time.Millisecond
	w := newWorld(t, func(c *ServerConfig) { c.KeepAlive = beat })
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

func TestShortDeadlineOnFrozenPath(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
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

func TestNextAgentIsTriedWhenOneFails(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
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

func TestDrainingAgentIsTheLastChoice(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
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

func TestShutdownWaitsForConnections(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
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

	w2 := newWorld(t, nil)
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

func TestAgentReplacesItsOwnOldTunnel(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
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

func TestAgentLimit(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, func(c *ServerConfig) { c.MaxAgents = 1 })
	w.run(w.agentConfig("first", everywhere))
	second, _ := w.start(w.agentConfig("second", everywhere))
	eventually(t, "refusal", func() bool {
		err := second.Ready()
		return err != nil && strings.Contains(err.Error(), "has its 1 agents")
	})
}

func TestConnLimitPerTunnel(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
	cfg := w.agentConfig("edge", everywhere)
	cfg.MaxConns = 3
	w.run(cfg)
	to := echo(t)
	for range 3 {
		talk(t, dial(t, w.srv, to), "fits")
	}
	_, err := w.srv.DialContext(context.Background(), "tcp", to)
	if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopAgent) || !dialer.Retryable(err) {
		t.Errorf("a connection beyond the limit: %v, want a retryable error at the agent", err)
	}
}

func TestMuteAndGarbageAgents(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, func(c *ServerConfig) { c.HandshakeTimeout = 100 * time.Millisecond })
	mute, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	mute.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := mute.Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a mute peer was not hung up on: %v", err)
	}
	garbage, err := net.Dial("tcp", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer garbage.Close()
	io.WriteString(garbage, "GET / HTTP/1.1\r\n\r\n")
	garbage.SetReadDeadline(time.Now().Add(10 * time.Second))
	io.ReadAll(garbage)
	eventually(t, "both refused", func() bool { return strings.Count(w.logs.String(), "agent refused") >= 2 })
}

func TestDialsLeaveNothing(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
	cfg := w.agentConfig("edge", everywhere)
	cfg.Resolver = make(hangingResolver, 1000)
	cfg.Policy, _ = NewPolicy(PolicyRule{CIDRs: []string{"127.0.0.0/8"}}, PolicyRule{Names: []string{"slow.test"}})
	w.run(cfg)
	to := target(t, func(c net.Conn) { io.Copy(c, c) })
	cycle := func() {
		c, err := w.srv.DialContext(context.Background(), "tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	idle := func() bool { return w.busy() == "" }
	for range 20 {
		cycle() // what is allocated once is there before the count
	}
	eventually(t, "idle", idle)
	goroutines, descriptors := len(leak.Goroutines()), leak.Descriptors()

	each(8, 2000, cycle)
	each(8, 500, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if c, err := w.srv.DialContext(ctx, "tcp", "slow.test:80"); err == nil {
			c.Close()
			t.Error("a dial to nowhere succeeded")
		}
	})
	eventually(t, "idle", idle)
	eventually(t, "goroutines back", func() bool { return len(leak.Goroutines()) <= goroutines })
	eventually(t, "descriptors back", func() bool { return leak.Descriptors() <= descriptors })
}

// each calls f n times from several goroutines.
func each(workers, n int, f func()) {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				f()
			}
		})
	}
	wg.Wait()
}
