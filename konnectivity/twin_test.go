package konnectivity

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// An agent that looks for further servers keeps finding this one again. Whoever
// dials through it meanwhile must not notice: no dial fails, no connection that
// came about is cut.
func TestProbesDisturbNoDial(t *testing.T) {
	leak.Check(t)
	eachLink(t, func(t *testing.T, link linkCase) {
		w := link.world(t, nil)
		a, _ := w.run(w.agentConfig("edge", everywhere))
		to := echo(t)
		held := dial(t, w.srv, to)
		done := make(chan struct{})
		var dialing sync.WaitGroup
		for range 4 {
			dialing.Go(func() {
				for !isClosed(done) {
					c, err := w.srv.DialContext(context.Background(), "tcp", to)
					if err != nil {
						t.Errorf("a dial beside a probe: %v", err)
						return
					}
					err = exchange(c, "hello")
					c.Close()
					if err != nil {
						t.Errorf("a connection beside a probe: %v", err)
						return
					}
				}
			})
		}
		for i := range 100 {
			if err := newTunnel(a.keepers[0]).run(t.Context()); !errors.Is(err, ErrDuplicateServer) {
				t.Fatalf("probe %d: %v", i, err)
			}
		}
		close(done)
		dialing.Wait()
		talk(t, held, "still there")
		eventually(t, "one tunnel that can be picked", func() bool {
			infos := w.srv.Agents()
			return len(infos) == 1 && !infos[0].Draining
		})
		if n := connected(a)["srv"]; n != 1 {
			t.Errorf("the agent has %d tunnels", n)
		}
	})
}

// A tunnel connects to targets only once it is known to stay.
func TestTunnelWaitsBeforeItDials(t *testing.T) {
	w := &world{t: t, ca: nil, addr: "127.0.0.1:1", logs: new(logs), agentLogs: new(logs)}
	w.ca = newWorld(t, nil).ca
	a, err := NewAgent(w.agentConfig("edge", everywhere))
	if err != nil {
		t.Fatal(err)
	}
	to := echo(t)
	undecided, twin, up := newTunnel(a.keepers[0]), newTunnel(a.keepers[0]), newTunnel(a.keepers[0])
	close(twin.twin)
	close(up.up)
	if c, err := up.dial(t.Context(), "tcp", to); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	_, err = twin.dial(t.Context(), "tcp", to)
	if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopAgent) || !dialer.Retryable(err) {
		t.Errorf("through a twin: %v, want an error at the agent that lets the server try another", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = undecided.dial(ctx, "tcp", to); !errors.Is(err, context.Canceled) {
		t.Errorf("undecided: %v, want the context's end", err)
	}
}

// Of several tunnels of one process the newest is picked; when it ends, the one
// before it is again.
func TestSupersededTunnelServesAgain(t *testing.T) {
	s := &Server{twins: map[instance][]*agentSession{}}
	session := func(id, run string) *agentSession { return &agentSession{id: id, instance: run} }
	a, b, c := session("edge", "1"), session("edge", "1"), session("edge", "1")
	foreign, nameless, nameless2 := session("edge", "2"), session("edge", ""), session("edge", "")
	for i, x := range []*agentSession{a, foreign, nameless, nameless2, b, c} {
		if more := s.addTwin(x); more != (i > 3) {
			t.Errorf("tunnel %d: twins %v", i, more)
		}
	}
	want := func(when string, live []*agentSession, stepped ...*agentSession) {
		t.Helper()
		for i, x := range live {
			if x.superseded.Load() != slices.Contains(stepped, x) {
				t.Errorf("%s: tunnel %d: superseded %v", when, i, x.superseded.Load())
			}
		}
	}
	others := []*agentSession{foreign, nameless, nameless2}
	want("all three", append(others, a, b, c), a, b)
	s.removeTwin(b)
	want("the middle one gone", append(others, a, c), a)
	s.removeTwin(c)
	want("the newest gone", append(others, a))
	s.removeTwin(a)
	s.removeTwin(foreign)
	s.removeTwin(nameless)
	if len(s.twins) != 0 {
		t.Errorf("left behind: %v", s.twins)
	}
}
