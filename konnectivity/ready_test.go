package konnectivity

import (
	"context"
	"errors"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

func TestWaitReady(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	waiting := make(chan error, 1)
	go func() { waiting <- w.srv.WaitReady(ctx) }()
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) || !errors.Is(err, dialer.ErrNoRoute) {
		t.Errorf("cancelled: %v, want both why it ended and what was missing", err)
	}
	go func() { waiting <- w.srv.WaitReady(context.Background()) }()
	w.run(w.agentConfig("edge", everywhere))
	if err := <-waiting; err != nil {
		t.Errorf("with an agent: %v", err)
	}
	w.srv.Close()
	if err := w.srv.WaitReady(context.Background()); !errors.Is(err, ErrServerClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := w.srv.Close(); err != nil {
		t.Errorf("a second Close: %v", err)
	}

	empty := newWorld(t, nil)
	go func() { waiting <- empty.srv.WaitReady(context.Background()) }()
	empty.srv.Close()
	if err := <-waiting; !errors.Is(err, ErrServerClosed) {
		t.Errorf("closed while waiting: %v", err)
	}
}

func TestNodeRuleIsValid(t *testing.T) {
	if _, err := NewIdentity(NodeRule(), IdentityRule{CommonName: "x", AgentIDs: []string{"x"}}); err != nil {
		t.Error(err)
	}
	if _, ok := NodeIdentity().(identityRules); !ok {
		t.Error("NodeIdentity does not hold NodeRule")
	}
}
