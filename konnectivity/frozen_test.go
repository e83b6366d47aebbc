package konnectivity

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// TestFrozenPathEndsEverything freezes a tunnel that carries connections and
// dials, and looks at all four ends: callers, server, agent and targets.
func TestFrozenPathEndsEverything(t *testing.T) {
	descriptors := leak.Descriptors()
	t.Run("frozen", freezeBusyTunnel)
	eventually(t, "descriptors back", func() bool { return leak.Descriptors() <= descriptors+3 }) // the poller's own come with the first conn
}

func freezeBusyTunnel(t *testing.T) {
	leak.Check(t)
	const (
		each = 8
		beat = 100 * time.Millisecond
		// Three beats are what is promised; the rest is for a busy machine, and far
		// less than any other bound that could end what is waited for.
		bound = 3*beat + 5*time.Second
	)
	w := newWorld(t, func(c *ServerConfig) { c.KeepAlive = beat })
	p := newPath(t, w.addr)
	cfg := w.agentConfig("edge", everywhere)
	cfg.KeepAlive, cfg.Servers = beat, []string{p.ln.Addr().String()}
	lookups := make(hangingResolver, each)
	cfg.Resolver = lookups
	cfg.Policy, _ = NewPolicy(PolicyRule{CIDRs: []string{"127.0.0.0/8"}}, PolicyRule{Names: []string{"slow.test"}})
	agent, _ := w.run(cfg)

	atTarget := make(chan error, each)
	to := target(t, func(c net.Conn) {
		_, err := io.Copy(c, c)
		atTarget <- err
	})
	var conns []net.Conn
	for range each {
		c := dial(t, w.srv, to)
		talk(t, c, "alive")
		conns = append(conns, c)
	}
	dialed := make(chan error, 2*each)
	dialSlow := func() {
		c, err := w.srv.DialContext(context.Background(), "tcp", "slow.test:80")
		if err == nil {
			c.Close()
		}
		dialed <- err
	}
	var dials sync.WaitGroup
	var dialing []context.Context // at the agent
	for range each {
		dials.Go(dialSlow)
		dialing = append(dialing, <-lookups)
	}

	p.frozen.Store(true)
	began := time.Now()
	for range each {
		dials.Go(dialSlow) // and dials whose request never arrives
	}
	for range 2 * each {
		err := <-dialed
		de, ok := errors.AsType[*dialer.Error](err)
		if !ok || !de.Timeout() || !errors.Is(err, dialer.ErrTimeout) || !strings.Contains(de.Hop, "agent edge") {
			t.Errorf("a dial on the frozen path: %v, want a timeout at agent edge", err)
		}
	}
	dials.Wait()
	for _, c := range conns {
		for what, use := range map[string]func() error{
			"read":  func() error { _, err := c.Read(make([]byte, 1)); return err },
			"write": func() error { _, err := c.Write([]byte("x")); return err },
		} {
			if err := use(); err == nil || err == io.EOF || errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a %s on the frozen path: %v, want an error of the connection", what, err)
			}
		}
		c.Close()
	}
	for range each {
		if err := <-atTarget; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the target saw %v, want a reset", err)
		}
	}
	for _, ctx := range dialing {
		<-ctx.Done()
	}
	eventually(t, "the server notices", func() bool { return !w.knows("edge") })
	eventually(t, "the agent notices", func() bool { return agent.Ready() != nil })
	if took := time.Since(began); took > bound {
		t.Errorf("it took %v until everything had ended, want at most %v", took, bound)
	}
}
