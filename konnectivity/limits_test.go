package konnectivity

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

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

func TestConnLimitPerTunnel(t *testing.T) { eachLink(t, testConnLimitPerTunnel) }

func testConnLimitPerTunnel(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
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
