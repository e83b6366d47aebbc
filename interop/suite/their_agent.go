package suite

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"

	"github.com/sallyport/sallyport/internal/testpki"
)

// theirAgent is an agent of Konnectivity's, played by the test.
type theirAgent struct {
	*line
	header metadata.MD // the server's
	cc     *grpc.ClientConn
	cancel context.CancelFunc
}

var bothWays = grpc.StreamDesc{ServerStreams: true, ClientStreams: true}

// callConnect opens a Connect stream with the given metadata, as the holder of a
// certificate for the common name.
func callConnect(t testing.TB, ca *testpki.CA, addr, name string, md ...string) *theirAgent {
	t.Helper()
	return callConnectWith(t, clientTLS(t, ca, name), addr, md...)
}

func callConnectWith(t testing.TB, cfg *tls.Config, addr string, md ...string) *theirAgent {
	t.Helper()
	cc, err := grpc.NewClient("passthrough:///"+addr, grpc.WithTransportCredentials(credentials.NewTLS(cfg)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(context.Background(), md...))
	stream, err := cc.NewStream(ctx, &bothWays, "/AgentService/Connect")
	if err != nil {
		t.Fatal(err)
	}
	a := &theirAgent{line: newLine(t, stream), cc: cc, cancel: cancel}
	t.Cleanup(a.hangUp)
	a.header, _ = stream.Header() // whoever wants to know why there is none looks at the end
	return a
}

// hangUp ends the stream and its connection.
func (a *theirAgent) hangUp() {
	a.cancel()
	a.cc.Close()
	<-a.ended
}

// theirAgent attaches an agent that claims what the query says.
func (w *world) theirAgent(id, identifiers string) *theirAgent {
	w.t.Helper()
	before := w.count(id)
	a := callConnect(w.t, w.ca, w.addr, id, "agentID", id, "agentIdentifiers", identifiers)
	if len(a.header.Get("serverID")) != 1 {
		w.t.Fatalf("the server did not take the agent: %v, %v", a.header, a.end())
	}
	eventually(w.t, "agent "+id+" connected", func() bool { return w.count(id) > before })
	return a
}

// servingAgent attaches an agent of Konnectivity's that does its work, until the
// test ends: what it does with packets is what the reference says of upstream's,
// but that it writes all it got before it closes.
func (w *world) servingAgent(id string) (stop func()) {
	w.t.Helper()
	a := w.theirAgent(id, "default-route=true")
	s := &relays{agent: a, open: map[int64]net.Conn{}}
	return background(w.t, s.run, a.hangUp)
}

// relays is the work of an agent.
type relays struct {
	agent *theirAgent
	send  sync.Mutex
	work  sync.WaitGroup

	mu   sync.Mutex
	last int64
	open map[int64]net.Conn
}

func (s *relays) run() {
	for {
		select {
		case p := <-s.agent.in:
			s.handle(p)
		case <-s.agent.ended:
			s.mu.Lock()
			for _, c := range s.open {
				c.Close()
			}
			s.mu.Unlock()
			s.work.Wait()
			return
		}
	}
}

func (s *relays) handle(p *client.Packet) {
	switch p.Type {
	case client.PacketType_DIAL_REQ:
		s.work.Go(func() { s.dial(p.GetDialRequest()) })
	case client.PacketType_DATA:
		if c := s.conn(p.GetData().ConnectID); c != nil {
			c.Write(p.GetData().Data)
		}
	case client.PacketType_CLOSE_REQ:
		if c := s.conn(p.GetCloseRequest().ConnectID); c != nil {
			c.Close() // its reader tells the server
		}
	}
}

func (s *relays) conn(id int64) net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[id]
}

func (s *relays) dial(req *client.DialRequest) {
	c, err := net.Dial(req.Protocol, req.Address)
	if err != nil {
		s.say(dialRsp(req.Random, 0, err.Error()))
		return
	}
	defer c.Close()
	s.mu.Lock()
	s.last++
	id := s.last
	s.open[id] = c
	s.mu.Unlock()
	s.say(dialRsp(req.Random, id, ""))
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		if n > 0 {
			s.say(dataOf(id, b[:n]))
		}
		if err != nil {
			break
		}
	}
	s.say(closeRsp(id, ""))
	s.mu.Lock()
	delete(s.open, id)
	s.mu.Unlock()
}

func (s *relays) say(p *client.Packet) error {
	s.send.Lock()
	defer s.send.Unlock()
	if err := s.agent.stream.SendMsg(p); err != nil {
		return io.ErrClosedPipe
	}
	return nil
}
