package yamux

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/mux"
)

// helloTimeout is what the tests bound hellos with. Under synctest it is exact.
const helloTimeout = 7 * time.Second

// ending is how a session under test ended, and when.
type ending struct {
	err error
	at  time.Time
}

// far is the end of a tunnel that the test plays itself.
type far struct {
	*mux.Session
	accepted chan *mux.Stream
	ended    chan error
	over     chan ending // of the end under test
}

// tooLong is when a test stops waiting: under synctest an hour costs nothing,
// but sessions that ping for ever would keep a bubble busy for ever.
const tooLong = time.Hour

// outcome returns how the end under test ended.
func (f *far) outcome(t *testing.T) ending {
	t.Helper()
	select {
	case end := <-f.over:
		return end
	case <-time.After(tooLong):
		t.Errorf("it did not end by itself")
		f.close()
		return <-f.over
	}
}

func newFar(conn net.Conn, client bool, over chan ending) *far {
	f := &far{accepted: make(chan *mux.Stream, 16), ended: make(chan error, 1), over: over}
	f.Session = mux.New(conn, mux.Config{Client: client, Accept: func(st *mux.Stream) { f.accepted <- st }})
	go func() { f.ended <- f.Run(context.Background()) }()
	return f
}

// close ends f and joins it. It may be called again.
func (f *far) close() {
	f.Close()
	if _, ok := <-f.ended; ok {
		close(f.ended)
	}
}

// stop ends both ends.
func (f *far) stop() {
	f.close()
	<-f.over
}

// serve runs l at one end of a tunnel whose other end is the test's.
func serve(l *Server) *far {
	near, other := net.Pipe()
	over := make(chan ending, 1)
	go func() {
		err := l.Serve(context.Background(), near)
		over <- ending{err, time.Now()}
	}()
	return newFar(other, true, over)
}

// attach runs a at one end of a tunnel whose other end is the test's.
func attach(a *Agent) *far {
	near, other := net.Pipe()
	over := make(chan ending, 1)
	a.Hello.AgentID = "edge"
	a.HelloTimeout = helloTimeout
	a.Start(near)
	go func() {
		err := a.Run(context.Background())
		over <- ending{err, time.Now()}
		a.Finish(context.Background())
	}()
	return newFar(other, false, over)
}

// welcome reads the agent's hello and takes it.
func (f *far) welcome(t *testing.T) (control *mux.Stream) {
	t.Helper()
	control = <-f.accepted
	var h message.Hello
	if err := message.Read(control, &h); err != nil {
		t.Fatal(err)
	}
	if err := message.Write(control, &message.Reply{Version: message.Version}); err != nil {
		t.Fatal(err)
	}
	return control
}

// open opens a stream to the other end.
func (f *far) open(t *testing.T) *mux.Stream {
	t.Helper()
	st, err := f.Open(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// taker is a Server that takes every agent and hands out its session.
func taker() (*Server, chan *Session) {
	up := make(chan *Session, 1)
	return &Server{
		HelloTimeout: helloTimeout,
		Authorize:    func(context.Context, message.Hello) message.Reply { return message.Reply{} },
		Up:           func(s *Session, _ message.Hello) { up <- s },
		Down:         func(*Session, error) {},
	}, up
}

// hello says hello and waits to be taken.
func (f *far) hello(t *testing.T) (control *mux.Stream) {
	t.Helper()
	control = f.open(t)
	if err := message.Write(control, &message.Hello{Version: message.Version, AgentID: "edge"}); err != nil {
		t.Fatal(err)
	}
	var r message.Reply
	if err := message.Read(control, &r); err != nil {
		t.Fatal(err)
	}
	return control
}
