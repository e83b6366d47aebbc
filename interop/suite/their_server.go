package suite

import (
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"

	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/konnectivity"
)

// theirServer is a server of Konnectivity's, of which the test plays one stream
// after the other.
type theirServer struct {
	t     testing.TB
	ca    *testpki.CA
	addr  string
	calls chan *call
	stop  func()
}

// call is an agent's Connect call.
type call struct {
	*line
	md     metadata.MD
	ret    chan error // what the handler returns
	random int64      // of the last dial
}

// newTheirServer serves until the test ends.
func newTheirServer(t testing.TB, ca *testpki.CA) *theirServer {
	t.Helper()
	s := &theirServer{t: t, ca: ca, calls: make(chan *call, 16)}
	srv := grpc.NewServer(grpc.Creds(credentials.NewTLS(serverTLS(t, ca))),
		// As upstream's: who pings more often is thrown out.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 30 * time.Second, PermitWithoutStream: true}))
	srv.RegisterService(&grpc.ServiceDesc{
		ServiceName: "AgentService", HandlerType: (*any)(nil),
		Streams: []grpc.StreamDesc{{StreamName: "Connect", ServerStreams: true, ClientStreams: true, Handler: s.connect}},
	}, s)
	ln := listen(t)
	s.addr = ln.Addr().String()
	s.stop = background(t, func() { srv.Serve(ln) }, srv.Stop)
	return s
}

func (s *theirServer) connect(_ any, stream grpc.ServerStream) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	c := &call{line: newLine(s.t, stream), md: md, ret: make(chan error, 1)}
	s.calls <- c
	select {
	case err := <-c.ret:
		return err
	case <-c.ended:
		return nil
	}
}

// call is the next call of an agent, not answered yet.
func (s *theirServer) call() *call {
	s.t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case c := <-s.calls:
		return c
	case <-timer.C:
		s.t.Fatal("no agent calls")
		return nil
	}
}

// take answers a call as the server of the given id.
func (c *call) take(id, count string) *call {
	c.t.Helper()
	if err := c.stream.(grpc.ServerStream).SendHeader(metadata.Pairs("serverID", id, "serverCount", count)); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// agent runs an agent of ours against the server and takes it.
func (s *theirServer) agent(tune func(*konnectivity.AgentConfig)) (c *call, a *konnectivity.Agent, stop func()) {
	s.t.Helper()
	cfg := agentConfig(s.t, s.ca, "edge", s.addr)
	if tune != nil {
		tune(&cfg)
	}
	stop, a = runAgent(s.t, cfg)
	c = s.call().take("srv", "1")
	eventually(s.t, "the agent is connected", func() bool { return a.Ready() == nil })
	return c, a, stop
}

// dial has the agent connect to address.
func (c *call) dial(address string) (id int64) {
	c.t.Helper()
	c.random++
	c.send(dialReq(c.random, "tcp", address))
	rsp := c.next(client.PacketType_DIAL_RSP).GetDialResponse()
	if rsp.Error != "" || rsp.Random != c.random || rsp.ConnectID == 0 {
		c.t.Fatalf("dialing %s: %v", address, rsp)
	}
	return rsp.ConnectID
}
