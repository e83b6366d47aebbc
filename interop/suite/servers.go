package suite

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"

	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/konnectivity"
)

// Servers tests our agent against a server of Konnectivity's.
func Servers(t *testing.T) {
	cases(t, map[string]func(*testing.T){
		"hello":            agentHello,
		"dial":             agentDial,
		"dial failures":    agentDialFailures,
		"other networks":   agentOtherNetworks,
		"bulk":             agentBulk,
		"write then close": agentWriteThenClose,
		"target ends":      agentTargetEnds,
		"unknown ids":      agentUnknownIDs,
		"dial given up":    agentDialGivenUp,
		"malformed":        agentMalformed,
		"unknown types":    agentUnknownTypes,
		"server lost":      agentServerLost,
		"drain":            agentDrain,
		"refused":          agentRefused,
		"token":            agentToken,
		"two servers":      agentTwoServers,
		"stuck target":     agentStuckTarget,
	})
}

func theirs(t *testing.T) *theirServer {
	t.Helper()
	return newTheirServer(t, testpki.MustCA(t, "test"))
}

// agentHello: the metadata is what Konnectivity's server wants, and the agent says
// what has become of the tunnel.
func agentHello(t *testing.T) {
	c, a, _ := theirs(t).agent(func(cfg *konnectivity.AgentConfig) {
		cfg.Identifiers = konnectivity.Identifiers{Hosts: []string{"node-1"}, DefaultRoute: true}
	})
	for key, want := range map[string][]string{
		"agentid": {"edge"}, "agentidentifiers": {"default-route=true&host=node-1"}, "authorization": nil,
	} {
		if got := c.md.Get(key); !slices.Equal(got, want) {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if got := a.Tunnels()[0].Protocol; got != konnectivity.ProtocolPackets {
		t.Errorf("the agent calls the protocol %q, want %q", got, konnectivity.ProtocolPackets)
	}
}

func agentDial(t *testing.T) {
	c, _, _ := theirs(t).agent(nil)
	address := echo(t)
	seen := map[int64]bool{}
	for range 50 {
		id := c.dial(address)
		if seen[id] {
			t.Fatalf("id %d given twice", id)
		}
		seen[id] = true
		c.alive(id)
	}
}

// agentDialFailures: the texts are those that Konnectivity's programs look at.
func agentDialFailures(t *testing.T) {
	c, _, _ := theirs(t).agent(nil)
	for address, words := range map[string]string{
		closedPort(t):        "connection refused",
		"10.255.255.1:443":   "no rule allows it",
		"no port":            "",
		"":                   "",
		"hanging.test:99999": "",
	} {
		c.send(dialReq(1003, "tcp", address))
		rsp := c.next(client.PacketType_DIAL_RSP).GetDialResponse()
		if rsp.Error == "" || rsp.ConnectID != 0 || rsp.Random != 1003 || !strings.Contains(rsp.Error, words) {
			t.Errorf("dialing %q: %v, want an error with %q", address, rsp, words)
		}
	}
}

func agentOtherNetworks(t *testing.T) {
	c, _, _ := theirs(t).agent(nil)
	for network, s := range sockets(t) {
		c.send(dialReq(1003, network, s.address))
		rsp := c.next(client.PacketType_DIAL_RSP).GetDialResponse()
		if rsp.Error == "" || rsp.ConnectID != 0 {
			t.Errorf("%s: %v, want an error", network, rsp)
		}
		s.untouched(t)
	}
}

// agentBulk: 20 MiB each way, in packets up to the largest there are.
func agentBulk(t *testing.T) {
	c, _, _ := theirs(t).agent(nil)
	data, address := random(20<<20), echo(t)
	for _, size := range []int{4 << 10, 32 << 10, 4<<20 - 64} {
		id := c.dial(address)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for rest := data; len(rest) > 0; {
				n := min(size, len(rest))
				if c.stream.SendMsg(dataOf(id, rest[:n])) != nil {
					return
				}
				rest = rest[n:]
			}
		}()
		if got := c.data(id, len(data), 32<<10); !slices.Equal(got, data) {
			t.Errorf("in packets of %d other bytes came back than were sent", size)
		}
		<-sent
	}
}

// agentWriteThenClose: a CLOSE_REQ right behind DATA costs none of it, and is
// answered behind what the target had to say.
func agentWriteThenClose(t *testing.T) {
	c, _, _ := theirs(t).agent(nil)
	address, got := sink(t)
	for _, tt := range []struct{ times, size int }{{200, 5}, {200, 64 << 10}, {20, 1 << 20}} {
		want := random(tt.size)
		for i := range tt.times {
			id := c.dial(address)
			for part := range slices.Chunk(want, 32<<10) {
				c.send(dataOf(id, part))
			}
			c.send(closeReq(id))
			if rsp := c.next(client.PacketType_CLOSE_RSP).GetCloseResponse(); rsp.ConnectID != id || rsp.Error != "" {
				t.Fatalf("%v, want a close without an error", rsp)
			}
			select {
			case b := <-got:
				if b != string(want) {
					t.Fatalf("the %dth time %d of %d bytes arrived", i+1, len(b), tt.size)
				}
			case <-time.After(patience):
				t.Fatal("the target saw no end")
			}
		}
	}
}

func agentTargetEnds(t *testing.T) {
	c, _, _ := theirs(t).agent(nil)
	want := random(256 << 10)
	id := c.dial(target(t, func(c net.Conn) { c.Write(want) }))
	if got := c.data(id, len(want), 32<<10); !slices.Equal(got, want) {
		t.Error("other bytes came than were sent")
	}
	if rsp := c.next(client.PacketType_CLOSE_RSP).GetCloseResponse(); rsp.ConnectID != id || rsp.Error != "" {
		t.Errorf("%v, want a close without an error", rsp)
	}
	reset := c.dial(target(t, func(c net.Conn) {
		c.Read(make([]byte, 1))
		c.(*net.TCPConn).SetLinger(0)
	}))
	c.send(dataOf(reset, []byte("x")))
	if rsp := c.next(client.PacketType_CLOSE_RSP).GetCloseResponse(); rsp.ConnectID != reset || rsp.Error == "" {
		t.Errorf("of a reset: %v, want a close with an error", rsp)
	}
}

func agentUnknownIDs(t *testing.T) {
	c, _, _ := theirs(t).agent(nil)
	id := c.dial(echo(t))
	for _, p := range []*client.Packet{dataOf(1000, []byte("x")), closeReq(1001)} {
		c.send(p)
		rsp := c.next(client.PacketType_CLOSE_RSP).GetCloseResponse()
		if rsp.ConnectID < 1000 || rsp.Error == "" {
			t.Errorf("%v is answered by %v, want an error", p.Type, rsp)
		}
	}
	c.send(dataOf(0, []byte("x")))
	c.send(dialCls(1000))
	c.send(closeRsp(1000, ""))
	c.send(dialRsp(1, 1000, ""))
	c.alive(id)
}

// agentDialGivenUp: Konnectivity's agent does not know DIAL_CLS.
func agentDialGivenUp(t *testing.T) {
	h := newHanging()
	c, _, _ := theirs(t).agent(func(cfg *konnectivity.AgentConfig) { cfg.Resolver = h })
	c.send(dialReq(1005, "tcp", "hanging.test:443"))
	wait(t, "the dial to begin", h.began)
	id := c.dial(echo(t)) // which does not wait for the other
	c.send(dialCls(1005))
	wait(t, "the agent to give up", h.ended)
	if rsp := c.next(client.PacketType_DIAL_RSP).GetDialResponse(); rsp.Random != 1005 || rsp.Error == "" {
		t.Errorf("the dial that was given up is answered by %v", rsp)
	}
	c.alive(id)
}

// agentMalformed: such a packet costs the server its stream, and the agent
// nothing but the time to come back.
func agentMalformed(t *testing.T) {
	s := theirs(t)
	c, _, _ := s.agent(nil)
	for name, p := range malformed {
		c.send(p)
		if err := c.end(); err.Code() == codes.OK {
			t.Logf("%s: the agent left in good order", name)
		}
		c = s.call().take("srv", "1")
	}
	c.alive(c.dial(echo(t)))
}

func agentUnknownTypes(t *testing.T) {
	c, _, _ := theirs(t).agent(nil)
	id := c.dial(echo(t))
	for _, typ := range []client.PacketType{7, 50, 99, 104, -1} {
		p := dataOf(id, []byte("x"))
		p.Type = typ
		c.send(p)
	}
	c.alive(id)
}

// agentServerLost: targets see the end, and the agent comes back.
func agentServerLost(t *testing.T) {
	s := theirs(t)
	c, _, _ := s.agent(nil)
	gone := make(chan struct{}, 1)
	c.dial(target(t, func(c net.Conn) {
		io.Copy(io.Discard, c)
		gone <- struct{}{}
	}))
	c.ret <- status.Error(codes.Unavailable, "going down")
	wait(t, "the target's end", gone)
	c = s.call().take("srv", "1")
	c.alive(c.dial(echo(t)))
}

func agentDrain(t *testing.T) {
	c, _, stop := theirs(t).agent(func(cfg *konnectivity.AgentConfig) { cfg.DrainTimeout = time.Hour })
	id := c.dial(echo(t))
	left := make(chan struct{})
	go func() { defer close(left); stop() }()
	c.next(client.PacketType_DRAIN)
	c.alive(id)
	c.send(closeReq(id))
	c.next(client.PacketType_CLOSE_RSP)
	wait(t, "the agent to leave", left)
}

// agentRefused: the agent says in the server's words why it is not taken.
func agentRefused(t *testing.T) {
	s := theirs(t)
	_, a := runAgent(t, agentConfig(t, s.ca, "edge", s.addr))
	for _, err := range []error{
		status.Error(codes.Unauthenticated, "the token has expired"),
		status.Error(codes.PermissionDenied, "not your name"),
		status.Error(codes.Unknown, "failed to authenticate"), // as Konnectivity's server has it
	} {
		s.call().ret <- err
		want := status.Convert(err).Message()
		eventually(t, "the agent tells "+want, func() bool {
			why := a.Ready()
			return why != nil && strings.Contains(why.Error(), want) && !strings.Contains(why.Error(), "expected one server ID")
		})
	}
	s.call().take("srv", "1")
	eventually(t, "the agent is connected", func() bool { return a.Ready() == nil })
}

// agentToken: the token's file is read at each connect, without the newline that
// editors leave. One that cannot be read costs the attempt, not the agent.
func agentToken(t *testing.T) {
	s := theirs(t)
	file := filepath.Join(t.TempDir(), "token")
	cfg := agentConfig(t, s.ca, "edge", s.addr)
	cfg.Token = konnectivity.TokenFile(file)
	_, a := runAgent(t, cfg)
	eventually(t, "the agent tells which file is missing", func() bool {
		why := a.Ready()
		return why != nil && strings.Contains(why.Error(), file)
	})
	for _, token := range []string{"first", "second"} {
		if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c := s.call()
		if got := c.md.Get("authorization"); !slices.Equal(got, []string{"Bearer " + token}) {
			t.Errorf("authorization is %q, want that of the %s token", got, token)
		}
		c.take("srv", "1")
		eventually(t, "the agent is connected", func() bool { return a.Ready() == nil })
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		c.ret <- status.Error(codes.Unavailable, "going down")
		eventually(t, "the agent tells which file is missing", func() bool {
			why := a.Ready()
			return why != nil && strings.Contains(why.Error(), file)
		})
	}
}

// agentTwoServers: behind one address, as a load balancer has it. The agent looks
// until it has both, and what leads to one that it has already is closed.
func agentTwoServers(t *testing.T) {
	s := theirs(t)
	_, a := runAgent(t, agentConfig(t, s.ca, "edge", s.addr))
	first := s.call().take("srv-1", "2")
	again := s.call().take("srv-1", "2")
	again.end()
	second := s.call().take("srv-2", "2")
	eventually(t, "two tunnels", func() bool {
		up := 0
		for _, tunnel := range a.Tunnels() {
			if tunnel.Connected {
				up++
			}
		}
		return up == 2
	})
	address := echo(t)
	first.alive(first.dial(address))
	second.alive(second.dial(address))
	select {
	case <-s.calls:
		t.Error("the agent goes on looking")
	case <-time.After(500 * time.Millisecond):
	}
	second.ret <- status.Error(codes.Unavailable, "going down")
	third := s.call().take("srv-3", "2")
	third.alive(third.dial(address))
}

// agentStuckTarget: one that does not read is reset alone, in a short time.
func agentStuckTarget(t *testing.T) {
	c, _, _ := theirs(t).agent(nil)
	release := make(chan struct{})
	defer close(release)
	stuck := c.dial(target(t, func(net.Conn) { <-release }))
	id := c.dial(echo(t))
	go func() {
		for range 1024 {
			if c.stream.SendMsg(dataOf(stuck, make([]byte, 32<<10))) != nil {
				return
			}
		}
		c.stream.SendMsg(dataOf(id, []byte("behind")))
	}()
	begin := time.Now()
	closed, echoed := false, false
	for !closed || !echoed {
		switch p := c.any(); p.Type {
		case client.PacketType_CLOSE_RSP:
			if p.GetCloseResponse().ConnectID == stuck {
				closed = true
			}
		case client.PacketType_DATA:
			echoed = p.GetData().ConnectID == id
		}
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the neighbour waited %v", took)
	}
}
