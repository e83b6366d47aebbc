package konnectivity

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// cable joins agents and a server in a synctest bubble, where the defaults can be
// waited for. It can be cut, and it can freeze.
type cable struct {
	accepted chan net.Conn
	up       atomic.Bool // whether somebody listens
	frozen   atomic.Bool
}

// DialContext is the agent's way to the server.
func (w *cable) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !w.up.Load() {
		return nil, dialer.Wrap(syscall.ECONNREFUSED, dialer.HopTarget, network, address)
	}
	a, b := net.Pipe()
	select {
	case w.accepted <- frostable{b, w}:
		return frostable{a, w}, nil
	case <-ctx.Done():
		return nil, dialer.Wrap(ctx.Err(), dialer.HopTarget, network, address)
	}
}

// frostable is a conn whose bytes get lost once its cable is frozen.
type frostable struct {
	net.Conn
	cable *cable
}

func (f frostable) Write(p []byte) (int, error) {
	if f.cable.frozen.Load() {
		return len(p), nil
	}
	return f.Conn.Write(p)
}

// Close lets this end go. On a frozen cable the other one does not learn of it.
func (f frostable) Close() error {
	if f.cable.frozen.Load() {
		return f.Conn.SetDeadline(time.Unix(1, 0))
	}
	return f.Conn.Close()
}

// end is a listener at the server's end of a cable.
type end struct {
	*cable
	once   sync.Once
	closed chan struct{}
}

func (e *end) Accept() (net.Conn, error) {
	select {
	case c := <-e.accepted:
		return c, nil
	case <-e.closed:
		return nil, net.ErrClosed
	}
}

func (e *end) Close() error {
	e.once.Do(func() { close(e.closed) })
	return nil
}

func (e *end) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 8132} }

// bubbleWorld is a world whose agents come by a cable. Nobody listens yet.
func bubbleWorld(t *testing.T) (*world, *cable) {
	w := &world{t: t, ca: testpki.MustCA(t, "tunnel"), addr: "server.test:8132", logs: new(logs), agentLogs: new(logs)}
	return w, &cable{accepted: make(chan net.Conn)}
}

// serve starts a server with defaults at the end of the cable.
func (w *world) serve(on *cable) (stop func()) {
	w.t.Helper()
	srv, err := NewServer(ServerConfig{ID: "srv", TLS: serverTLS(w.t, w.ca), Identity: anyClaim, Log: w.logs.Logger()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.srv = srv
	var serving sync.WaitGroup
	serving.Go(func() { srv.Serve(context.Background(), &end{cable: on, closed: make(chan struct{})}) })
	on.up.Store(true)
	stop = sync.OnceFunc(func() {
		on.up.Store(false)
		srv.Close()
		serving.Wait()
	})
	w.t.Cleanup(stop)
	return stop
}

// agentOn is an agent with defaults at the other end.
func (w *world) agentOn(on *cable, policy *Policy, names hangingResolver) AgentConfig {
	return AgentConfig{
		ID: "edge", Identifiers: everywhere, Servers: []string{w.addr}, Dialer: on,
		Roots:        transport.StaticRoots(w.ca.Pool()),
		Certificates: transport.StaticCertificate(w.ca.MustPair(w.t, testpki.Leaf{CommonName: "edge"})),
		Policy:       policy, Resolver: names, DrainTimeout: -1, Log: w.agentLogs.Logger(),
	}
}

// TestFrozenPathByDefault: with no setting at all, both sides notice a path that
// swallows everything within 15 s, and so do the dials on it.
func TestFrozenPathByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound = 15 * time.Second
		w, on := bubbleWorld(t)
		w.serve(on)
		lookups := make(hangingResolver, 1)
		policy, _ := NewPolicy(PolicyRule{Names: []string{"slow.test"}})
		agent, _ := w.run(w.agentOn(on, policy, lookups))
		dialed := make(chan error, 2)
		dialSlow := func() {
			_, err := w.srv.DialContext(context.Background(), "tcp", "slow.test:80")
			dialed <- err
		}
		time.Sleep(30 * time.Minute) // an idle tunnel lives
		go dialSlow()
		atAgent := <-lookups
		on.frozen.Store(true)
		began := time.Now()
		go dialSlow() // its request does not arrive
		for range 2 {
			err := <-dialed
			de, ok := errors.AsType[*dialer.Error](err)
			if !ok || !de.Timeout() || !errors.Is(err, dialer.ErrTimeout) || !strings.Contains(de.Hop, "agent edge") {
				t.Errorf("a dial on the frozen path: %v, want a timeout at agent edge", err)
			}
		}
		<-atAgent.Done()
		eventually(t, "both sides notice", func() bool { return !w.knows("edge") && agent.Ready() != nil })
		took := time.Since(began)
		t.Logf("everybody has noticed after %v", took)
		if took > bound {
			t.Errorf("want at most %v", bound)
		}
	})
}

// TestServerComesBack: however long a server was away, an agent with defaults is
// back 3 s after it at the latest, and dials go through it.
func TestServerComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound = 3 * time.Second
		w, on := bubbleWorld(t)
		stop := w.serve(on)
		lookups := make(hangingResolver, 1)
		policy, _ := NewPolicy(PolicyRule{Names: []string{"slow.test"}})
		w.run(w.agentOn(on, policy, lookups))
		// The certificates of tests are good for an hour.
		var longest time.Duration
		for _, away := range []time.Duration{0, time.Second, 10 * time.Second, time.Minute} {
			for range 10 {
				stop()
				time.Sleep(away)
				stop = w.serve(on)
				began := time.Now()
				eventually(t, "the agent back", func() bool { return w.knows("edge") })
				took := time.Since(began)
				longest = max(longest, took)
				if took > bound {
					t.Errorf("after %v away the agent came back in %v, want at most %v", away, took, bound)
				}
				ctx, cancel := context.WithCancel(context.Background())
				dialed := make(chan error, 1)
				go func() { _, err := w.srv.DialContext(ctx, "tcp", "slow.test:80"); dialed <- err }()
				<-lookups // the dial has come through to the agent
				cancel()
				<-dialed
			}
		}
		t.Logf("the agent was back within %v", longest)
	})
}
