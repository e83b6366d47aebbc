package konnectivity

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// fleet is several servers behind one load balancer, all in memory, so that a
// test with a clock of its own can wait for hours. As a dialer.Dialer it is what
// an agent reaches them by.
type fleet struct {
	t    *testing.T
	ca   *testpki.CA
	logs *logs

	mu       sync.Mutex
	members  []*member
	pick     func(alive []*member) *member
	attempts int
}

// member is one server of a fleet.
type member struct {
	srv   *Server
	queue chan net.Conn
	done  chan struct{}
	stop  func()
	alive bool
}

// newFleet starts n servers, each of which tells that there are count.
func newFleet(t *testing.T, n, count int) *fleet {
	f := &fleet{t: t, ca: testpki.MustCA(t, "tunnel"), logs: new(logs)}
	for i := range n {
		f.start(fmt.Sprintf("srv-%d", i), count)
	}
	return f
}

// start adds a server.
func (f *fleet) start(id string, count int) *member {
	f.t.Helper()
	auth := serverTLS(f.t, f.ca)
	auth.Certificates[0] = f.ca.MustPair(f.t, testpki.Leaf{Names: []string{"server.test"}, NotAfter: f.late()})
	srv, err := NewServer(ServerConfig{
		ID: id, TLS: auth, Identity: anyClaim, ServerCount: count, Log: f.logs.Logger(),
	})
	if err != nil {
		f.t.Fatal(err)
	}
	m := &member{srv: srv, queue: make(chan net.Conn), done: make(chan struct{}), alive: true}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(context.Background(), m) }()
	m.stop = sync.OnceFunc(func() {
		f.mu.Lock()
		m.alive = false
		f.mu.Unlock()
		srv.Close()
		<-served
	})
	f.t.Cleanup(m.stop)
	f.mu.Lock()
	f.members = append(f.members, m)
	f.mu.Unlock()
	return m
}

// DialContext takes the agent to a server of the load balancer's choice; round
// robin unless pick is set.
func (f *fleet) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	f.mu.Lock()
	f.attempts++
	var alive []*member
	for _, m := range f.members {
		if m.alive {
			alive = append(alive, m)
		}
	}
	var m *member
	switch {
	case len(alive) == 0:
	case f.pick != nil:
		m = f.pick(alive)
	default:
		m = alive[f.attempts%len(alive)]
	}
	f.mu.Unlock()
	if m == nil {
		return nil, syscall.ECONNREFUSED
	}
	near, far := net.Pipe()
	select {
	case m.queue <- far:
		return near, nil
	case <-m.done:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// late is after all that a test waits for.
func (f *fleet) late() time.Time { return time.Now().Add(20 * time.Hour) }

// tries returns how often an agent has tried to connect since it was last asked.
func (f *fleet) tries() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, f.attempts = f.attempts, 0
	return n
}

// agent starts one agent, which knows the load balancer's address alone.
func (f *fleet) agent(tune func(*AgentConfig)) *Agent {
	f.t.Helper()
	cfg := AgentConfig{
		ID: "edge", Identifiers: everywhere, Servers: []string{"server.test:8091"}, Dialer: f,
		Roots:        transport.StaticRoots(f.ca.Pool()),
		Certificates: transport.StaticCertificate(f.ca.MustPair(f.t, testpki.Leaf{CommonName: "edge", NotAfter: f.late()})),
		Policy:       loopback(f.t), Log: f.logs.Logger(), DrainTimeout: -1,
	}
	if tune != nil {
		tune(&cfg)
	}
	a, err := NewAgent(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	(&world{t: f.t}).runAgent(a)
	return a
}

// connected returns the ids of the servers a is connected to.
func connected(a *Agent) map[string]int {
	ids := map[string]int{}
	for _, info := range a.Tunnels() {
		if info.Connected {
			ids[info.ServerID]++
		}
	}
	return ids
}

// Accept implements net.Listener.
func (m *member) Accept() (net.Conn, error) {
	select {
	case c := <-m.queue:
		return c, nil
	case <-m.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (m *member) Close() error {
	select {
	case <-m.done:
	default:
		close(m.done)
	}
	return nil
}

// Addr implements net.Listener.
func (m *member) Addr() net.Addr { return &net.UnixAddr{Name: "memory"} }
