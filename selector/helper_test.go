package selector_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/selector"
)

// fake is a Dialer that does what the test says and counts.
type fake struct {
	err   error // what a dial returns; nil means a conn
	hang  bool  // dials until the context ends
	late  bool  // with hang: ignores the end and returns a conn all the same
	ready error

	dials atomic.Int32

	mu       sync.Mutex
	address  string
	class    selector.Class
	took     time.Duration
	deadline bool
	conn     *trackedConn
}

func (f *fake) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	f.dials.Add(1)
	begin := time.Now()
	if f.hang {
		<-ctx.Done()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.took = time.Since(begin)
	f.address = address
	f.class, _ = selector.ClassFrom(ctx)
	_, f.deadline = ctx.Deadline()
	switch {
	case f.hang && !f.late && f.err == nil:
		return nil, ctx.Err()
	case f.err != nil:
		return nil, f.err
	}
	near, far := net.Pipe()
	f.conn = &trackedConn{Conn: near, far: far}
	return f.conn, nil
}

func (f *fake) Ready() error { return f.ready }

func (f *fake) wantDials(t *testing.T, want int32) {
	t.Helper()
	if got := f.dials.Load(); got != want {
		t.Errorf("dials = %d, want %d", got, want)
	}
}

type trackedConn struct {
	net.Conn
	far    net.Conn
	closed atomic.Bool
}

func (c *trackedConn) Close() error {
	c.closed.Store(true)
	c.far.Close()
	return c.Conn.Close()
}

// recorder keeps what a Trace saw.
type recorder struct {
	mu     sync.Mutex
	starts []dialer.Attempt
	dones  []doneEvent
	overs  []doneEvent
}

type doneEvent struct {
	dialer.Attempt
	err error
}

func (r *recorder) trace() *dialer.Trace {
	return &dialer.Trace{
		DialStart: func(_ context.Context, a dialer.Attempt) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.starts = append(r.starts, a)
		},
		DialDone: func(_ context.Context, a dialer.Attempt, _ time.Duration, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.dones = append(r.dones, doneEvent{a, err})
		},
		Failover: func(_ context.Context, a dialer.Attempt, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.overs = append(r.overs, doneEvent{a, err})
		},
	}
}

func mustNew(t testing.TB, cfg selector.Config) *selector.Selector {
	t.Helper()
	s, err := selector.New(cfg)
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	return s
}

func mustFailover(t testing.TB, cfg selector.FailoverConfig) dialer.Dialer {
	t.Helper()
	d, err := selector.NewFailover(cfg)
	if err != nil {
		t.Fatalf("NewFailover: %v", err)
	}
	return d
}

func mustDial(t testing.TB, ctx context.Context, d dialer.Dialer, network, address string) {
	t.Helper()
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		t.Fatalf("DialContext(%q, %q): %v", network, address, err)
	}
	c.Close()
}

// asError is what every failed dial has to be.
func asError(t testing.TB, c net.Conn, err error) *dialer.Error {
	t.Helper()
	if c != nil {
		t.Errorf("a failed dial returned the conn %v", c)
	}
	de, ok := err.(*dialer.Error)
	if !ok {
		t.Fatalf("error %v is a %T, want *dialer.Error", err, err)
	}
	return de
}

// root is what is kept of err when class and route are written into a copy.
func root(err error) error {
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		return de.Err
	}
	return err
}

// routesFor gives every class the same Dialer under the class's name.
func routesFor(d dialer.Dialer, classes ...selector.Class) map[selector.Class]selector.Route {
	m := make(map[selector.Class]selector.Route)
	for _, c := range classes {
		m[c] = selector.Route{Name: "to-" + string(c), Dialer: d}
	}
	return m
}
