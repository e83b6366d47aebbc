package grpc

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/link/message"
)

// tunnel is a server and an agent, connected.
type tunnel struct {
	t       testing.TB
	session *Session
	hello   message.Hello
	agent   *Agent
	down    chan error // gets why the session ended
	served  chan error // gets what Serve returned
	ran     chan error // gets what the agent's Run returned
	cancel  context.CancelFunc
}

// options change both ends before they start.
type options func(l *Server, a *Agent)

func packetsOnly(l *Server, a *Agent) { l.NoWindows, a.NoWindows = true, true }

// plainPackets makes both ends behave as with a peer of upstream's.
func plainPackets(l *Server, a *Agent) { l.NoWindows, a.Plain = true, true }

func allow(context.Context, message.Hello) message.Reply {
	return message.Reply{ServerID: "srv", ServerCount: 2}
}

// connect brings a tunnel up over the two ends of a connection.
func connect(t testing.TB, far, near net.Conn, opts ...options) *tunnel {
	t.Helper()
	tu := &tunnel{t: t, down: make(chan error, 1), served: make(chan error, 1), ran: make(chan error, 1)}
	up := make(chan struct{})
	l := &Server{Authorize: allow, HelloTimeout: 5 * time.Second, KeepAlive: -1}
	l.Up = func(s *Session, h message.Hello) {
		tu.session, tu.hello = s, h
		close(up)
	}
	l.Down = func(s *Session, err error) { tu.down <- err }
	a := &Agent{
		Hello: message.Hello{AgentID: "edge", Instance: "i1", Identifiers: "host=a"},
		Dial:  new(net.Dialer).DialContext, DialTimeout: 5 * time.Second, HelloTimeout: 5 * time.Second, KeepAlive: -1,
	}
	taken := make(chan struct{})
	a.Up = func(message.Reply) { close(taken) }
	for _, o := range opts {
		o(l, a)
	}
	tu.agent = a
	ctx, cancel := context.WithCancel(context.Background())
	tu.cancel = cancel
	go func() { tu.served <- l.Serve(ctx, far) }()
	a.Start(near)
	go func() {
		err := a.Run(context.Background())
		a.Finish(context.Background())
		tu.ran <- err
	}()
	select {
	case <-up:
	case err := <-tu.served:
		t.Fatalf("the server did not take the agent: %v", err)
	}
	select {
	case <-taken:
	case err := <-tu.ran:
		t.Fatalf("the agent was not taken: %v", err)
	}
	return tu
}

// stop ends the tunnel and waits for everything.
func (tu *tunnel) stop() {
	tu.session.Close()
	tu.agent.Close()
	<-tu.served
	<-tu.ran
	tu.cancel()
}

// loopback connects the tunnel over TCP.
func loopback(t testing.TB, opts ...options) *tunnel {
	t.Helper()
	far, near := tcpPair(t)
	tu := connect(t, far, near, opts...)
	t.Cleanup(tu.stop)
	return tu
}

func tcpPair(t testing.TB) (accepted, dialed net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialed, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return accepted, dialed
}

// session is a dialer.Dialer through the tunnel.
func (tu *tunnel) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return tu.session.Open(ctx, network, address)
}
