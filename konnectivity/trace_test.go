package konnectivity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/relay"
)

// events collects what hooks are told, as text.
type events struct {
	mu  sync.Mutex
	all []string
}

func (e *events) add(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, fmt.Sprintf(format, args...))
}

// take returns what came since it was last asked.
func (e *events) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.all
	e.all = nil
	return all
}

func (e *events) count(event string) (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, have := range e.all {
		if have == event {
			n++
		}
	}
	return n
}

func (e *events) server() *ServerTrace {
	return &ServerTrace{
		DialStart:  func(d DialInfo) { e.add("start %s", d) },
		DialDone:   func(d DialInfo, _ time.Duration, err error) { e.add("done %s %v", d, dialer.KindOf(err)) },
		ConnOpened: func(d DialInfo) { e.add("opened %s", d) },
		ConnClosed: func(d DialInfo, age time.Duration) { e.add("closed %s %v", d, age > 0) },
	}
}

func TestDialHooks(t *testing.T) {
	leak.Check(t)
	eachLink(t, func(t *testing.T, link linkCase) {
		var seen, agentSeen events
		w := link.world(t, func(c *ServerConfig) { c.Trace = seen.server() })
		w.srv.DialContext(context.Background(), "tcp", "none.test:1")
		want := func(when string, all ...string) {
			t.Helper()
			if got := seen.take(); !slices.Equal(got, all) {
				t.Errorf("%s: %q, want %q", when, got, all)
			}
		}
		want("without an agent", "start { tcp none.test:1}", "done { tcp none.test:1} no route")

		cfg := w.agentConfig("edge", everywhere)
		cfg.Trace = &AgentTrace{
			ConnOpened: func(address string) { agentSeen.add("opened %s", address) },
			ConnClosed: func(address string, age time.Duration) { agentSeen.add("closed %s %v", address, age > 0) },
		}
		w.run(cfg)
		to := echo(t)
		edge := "{edge tcp " + to + "}"
		c, err := w.srv.DialContext(context.Background(), "tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		want("a dial", "start "+edge, "done "+edge+" other", "opened "+edge)
		talk(t, c, "hello")
		want("while it is open")
		c.Close()
		want("closed", "closed "+edge+" true")
		c.Close()
		want("closed twice")
		eventually(t, "the agent's hooks", func() bool {
			return agentSeen.count("opened "+to) == 1 && agentSeen.count("closed "+to+" true") == 1
		})

		w.srv.DialContext(context.Background(), "tcp", "10.0.0.1:1")
		denied := "{edge tcp 10.0.0.1:1}"
		want("refused by the policy", "start "+denied, "done "+denied+" denied")
		if got := agentSeen.take(); len(got) != 2 {
			t.Errorf("the agent's hooks: %q, want nothing of the refused one", got)
		}
	})
}

// plainConn has what net.Conn asks for and no more.
type plainConn struct{ net.Conn }

// halfConn can end its own direction.
type halfConn struct{ plainConn }

func (halfConn) CloseWrite() error { return nil }

// stopConn can stop its peer.
type stopConn struct{ plainConn }

func (stopConn) StopRead(error) {}

// fullConn can all that a conn of a tunnel may.
type fullConn struct {
	halfConn
	reset   error
	stopped func()
}

func (*fullConn) StopRead(error)               {}
func (c *fullConn) Reset(err error) error      { c.reset = err; return nil }
func (c *fullConn) OnPeerStop(f func()) func() { c.stopped = f; return func() {} }

// A conn that is watched can what it could, and nothing it could not.
func TestWatchedConnKeepsItsAbilities(t *testing.T) {
	near, far := net.Pipe()
	defer far.Close()
	plain := plainConn{near}
	for name, c := range map[string]struct {
		conn       net.Conn
		half, stop bool
	}{
		"plain": {plain, false, false},
		"half":  {halfConn{plain}, true, false},
		"stop":  {stopConn{plain}, false, true},
		"full":  {&fullConn{halfConn: halfConn{plain}}, true, true},
	} {
		closes := 0
		w := watchClose(c.conn, func() { closes++ })
		if _, half := w.(dialer.CloseWriter); half != c.half {
			t.Errorf("%s: CloseWrite %v", name, half)
		}
		if _, stop := w.(relay.ReadStopper); stop != c.stop {
			t.Errorf("%s: StopRead %v", name, stop)
		}
		w.(relay.StopNotifier).OnPeerStop(func() {})()
		w.(relay.Resetter).Reset(io.ErrClosedPipe)
		w.Close()
		if closes != 1 {
			t.Errorf("%s: told of %d closes", name, closes)
		}
	}
	full := &fullConn{halfConn: halfConn{plain}}
	w := watchClose(full, func() {})
	w.(relay.StopNotifier).OnPeerStop(func() {})
	if w.(relay.Resetter).Reset(io.ErrClosedPipe); full.reset != io.ErrClosedPipe || full.stopped == nil {
		t.Error("Reset or OnPeerStop did not reach the conn")
	}
}

func TestWatchedConnWritesTo(t *testing.T) {
	near, far := net.Pipe()
	go func() { io.WriteString(far, "hello"); far.Close() }()
	w := watchClose(plainConn{near}, func() {})
	defer w.Close()
	if b, err := io.ReadAll(w); string(b) != "hello" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
	near, far = net.Pipe()
	go func() { io.WriteString(far, "hello"); far.Close() }()
	var sink events
	w = watchClose(plainConn{near}, func() {})
	defer w.Close()
	n, err := w.(io.WriterTo).WriteTo(writerFunc(func(p []byte) (int, error) { sink.add("%s", p); return len(p), nil }))
	if n != 5 || err != nil || !slices.Equal(sink.take(), []string{"hello"}) {
		t.Errorf("WriteTo: %d, %v", n, err)
	}
	if errors.Is(err, io.EOF) {
		t.Error("the end is no error of WriteTo")
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
