package suite

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"

	"github.com/sallyport/sallyport/konnectivity"
)

// Streams tests our gRPC front end against clients that say what they should not.
func Streams(t *testing.T) {
	cases(t, map[string]func(*testing.T){
		"malformed":        streamMalformed,
		"second dial":      streamSecondDial,
		"not dialed":       streamNotDialed,
		"other networks":   streamOtherNetworks,
		"guessed ids":      streamGuessedIDs,
		"unknown types":    streamUnknownTypes,
		"early data":       streamEarlyData,
		"hangs up":         streamHangsUp,
		"large data":       streamLargeData,
		"too large":        streamTooLarge,
		"cancelled dial":   streamCancelledDial,
		"close is late":    streamCloseBehindData,
		"unread neighbour": streamUnreadNeighbour,
	})
}

// caller is a client of Konnectivity's, played by the test, with any number of
// streams.
type caller struct {
	t  testing.TB
	cc *grpc.ClientConn
}

func (w *world) caller() *caller {
	w.t.Helper()
	address, opts := w.front(konnectivity.ModeGRPC, "unix").target()
	cc, err := grpc.NewClient(address, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { cc.Close() })
	return &caller{w.t, cc}
}

// open opens a stream.
func (c *caller) open() (l *line, hangUp func()) {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stream, err := c.cc.NewStream(ctx, &bothWays, "/ProxyService/Proxy")
	if err != nil {
		c.t.Fatal(err)
	}
	l = newLine(c.t, stream)
	hangUp = func() { cancel(); <-l.ended }
	c.t.Cleanup(hangUp)
	return l, hangUp
}

// dial opens a stream with a connection to address.
func (c *caller) dial(address string) (l *line, id int64, hangUp func()) {
	c.t.Helper()
	l, hangUp = c.open()
	l.send(dialReq(77, "tcp", address))
	rsp := l.next(client.PacketType_DIAL_RSP).GetDialResponse()
	if rsp.Error != "" || rsp.Random != 77 || rsp.ConnectID == 0 {
		c.t.Fatalf("dialing %s: %v", address, rsp)
	}
	return l, rsp.ConnectID, hangUp
}

// served is a world with an agent.
func served(t *testing.T) (*world, *caller) {
	t.Helper()
	w := newWorld(t, nil)
	w.agent("edge", nil)
	return w, w.caller()
}

// alive wants the connection to echo.
func (l *line) alive(id int64) {
	l.t.Helper()
	l.send(dataOf(id, []byte("alive?")))
	if got := l.data(id, 6, 6); string(got) != "alive?" {
		l.t.Errorf("the echo is %q", got)
	}
}

// streamMalformed: such a packet ends its stream with a status, and nothing else.
func streamMalformed(t *testing.T) {
	_, c := served(t)
	neighbour, id, _ := c.dial(echo(t))
	for name, p := range malformed {
		for _, dialed := range []bool{false, true} {
			l, _ := c.open()
			if dialed {
				l, _, _ = c.dial(echo(t))
			}
			l.send(p)
			if st := l.end(); st.Code() != codes.Internal || !strings.Contains(st.Message(), "malformed") {
				t.Errorf("%s, dialed %v: %v, want an internal error about a malformed packet", name, dialed, st)
			}
			neighbour.alive(id)
		}
	}
}

func streamSecondDial(t *testing.T) {
	_, c := served(t)
	address := echo(t)
	l, _, _ := c.dial(address)
	l.send(dialReq(78, "tcp", address))
	if st := l.end(); st.Code() != codes.InvalidArgument {
		t.Errorf("%v, want an invalid argument", st)
	}
}

// streamNotDialed: the words are those of Konnectivity's server.
func streamNotDialed(t *testing.T) {
	_, c := served(t)
	for words, p := range map[string]*client.Packet{
		"backend not initialized": dataOf(5, []byte("x")),
		"backend uninitialized":   closeReq(5),
	} {
		l, _ := c.open()
		l.send(p)
		rsp := l.next(client.PacketType_CLOSE_RSP).GetCloseResponse()
		if rsp.ConnectID != 5 || rsp.Error != words {
			t.Errorf("%v: %v, want %q for 5", p.Type, rsp, words)
		}
		l.end()
	}
}

// streamOtherNetworks: Konnectivity's client would not ask for them, its agent
// dials them. Nothing may reach the sockets.
func streamOtherNetworks(t *testing.T) {
	_, c := served(t)
	for network, l := range sockets(t) {
		s, _ := c.open()
		s.send(dialReq(1, network, l.address))
		if rsp := s.next(client.PacketType_DIAL_RSP).GetDialResponse(); rsp.Error == "" || rsp.ConnectID != 0 {
			t.Errorf("%s: %v, want an error", network, rsp)
		}
		l.untouched(t)
	}
}

// socket is one that nobody may reach.
type socket struct {
	address string
	close   func() error
	touched <-chan string
}

// sockets listens at what is no TCP.
func sockets(t *testing.T) map[string]socket {
	t.Helper()
	all := map[string]socket{}
	for _, network := range []string{"udp", "udp4"} {
		c, err := net.ListenPacket(network, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		touched := make(chan string, 1)
		all[network] = socket{c.LocalAddr().String(), c.Close, touched}
		go func() {
			defer close(touched)
			if _, from, err := c.ReadFrom(make([]byte, 1)); err == nil {
				touched <- from.String()
			}
		}()
	}
	for _, network := range []string{"unix", ""} {
		ln, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Fatal(err)
		}
		touched := make(chan string, 1)
		all[network] = socket{ln.Addr().String(), ln.Close, touched}
		go func() {
			defer close(touched)
			if c, err := ln.Accept(); err == nil {
				touched <- "somebody"
				c.Close()
			}
		}()
	}
	return all
}

// untouched closes the socket and fails if somebody had reached it.
func (s socket) untouched(t *testing.T) {
	t.Helper()
	s.close()
	if who, was := <-s.touched; was {
		t.Errorf("%s reached %s", who, s.address)
	}
}

// streamGuessedIDs: ids are small numbers. Whoever guesses one of another stream's
// gets at nothing.
func streamGuessedIDs(t *testing.T) {
	_, c := served(t)
	address, got := sink(t)
	victim, id, hangUp := c.dial(address)
	victim.send(dataOf(id, []byte("mine")))
	for _, dialed := range []bool{false, true} {
		for guess := range int64(20) {
			l, _ := c.open()
			if dialed {
				var own int64
				if l, own, _ = c.dial(echo(t)); own == guess {
					continue
				}
			}
			for _, p := range []*client.Packet{dataOf(guess, []byte("INJECTED")), closeReq(guess)} {
				l.stream.SendMsg(p) // the stream may have ended already
			}
			l.stream.(grpc.ClientStream).CloseSend()
			l.end()
		}
	}
	victim.send(dataOf(id, []byte(" alone")))
	victim.send(closeReq(id))
	victim.next(client.PacketType_CLOSE_RSP)
	hangUp()
	if b := <-got; b != "mine alone" {
		t.Errorf("the victim's target got %q", b)
	}
}

// streamUnknownTypes: a type from the future is passed over.
func streamUnknownTypes(t *testing.T) {
	_, c := served(t)
	l, id, _ := c.dial(echo(t))
	for _, typ := range []client.PacketType{7, 50, 100, 101, 102, -1} {
		p := dataOf(id, []byte("x"))
		if p.Type = typ; typ >= 100 { // ours, whose payload Konnectivity has no field for
			continue
		}
		l.send(p)
	}
	l.alive(id)
}

// streamEarlyData: bytes for a connection that there is not yet belong to none.
func streamEarlyData(t *testing.T) {
	_, c := served(t)
	l, _ := c.open()
	l.send(dialReq(1, "tcp", echo(t)))
	l.send(dataOf(1, []byte("too early")))
	var id int64
	for id == 0 {
		switch p := l.any(); p.Type {
		case client.PacketType_DIAL_RSP:
			id = p.GetDialResponse().ConnectID
		case client.PacketType_CLOSE_RSP:
			return // it may be taken for an unknown one as well
		default:
			t.Fatalf("got %v", p)
		}
	}
}

// streamHangsUp: the target of a client that goes without a word sees it.
func streamHangsUp(t *testing.T) {
	_, c := served(t)
	address, got := sink(t)
	l, id, hangUp := c.dial(address)
	l.send(dataOf(id, []byte("x")))
	hangUp()
	select {
	case <-got:
	case <-time.After(patience):
		t.Error("the target saw no end")
	}
}

// streamLargeData: as much as Konnectivity's client can send in one packet.
func streamLargeData(t *testing.T) {
	_, c := served(t)
	l, id, _ := c.dial(echo(t))
	want := random(4<<20 - 64)
	go l.stream.SendMsg(dataOf(id, want))
	if got := l.data(id, len(want), 32<<10); !slices.Equal(got, want) {
		t.Error("other bytes came back than were sent")
	}
}

// streamTooLarge: beyond that the stream ends with a status that says so.
func streamTooLarge(t *testing.T) {
	_, c := served(t)
	l, id, _ := c.dial(echo(t))
	go l.stream.SendMsg(dataOf(id, make([]byte, 5<<20)))
	if st := l.end(); st.Code() != codes.ResourceExhausted {
		t.Errorf("%v, want resource exhausted", st)
	}
}

// streamCancelledDial: DIAL_CLS gives the dial up, at the agent too.
func streamCancelledDial(t *testing.T) {
	w := newWorld(t, nil)
	h := newHanging()
	w.agent("edge", func(c *konnectivity.AgentConfig) { c.Resolver = h })
	l, _ := w.caller().open()
	l.send(dialReq(5, "tcp", "hanging.test:443"))
	wait(t, "the dial to begin", h.began)
	l.send(dialCls(6)) // somebody else's
	select {
	case <-h.ended:
		t.Error("given up by another dial's DIAL_CLS")
	case <-time.After(50 * time.Millisecond):
	}
	l.send(dialCls(5))
	wait(t, "the agent to give up", h.ended)
	l.end()
}

// streamCloseBehindData: a CLOSE_RSP comes when both ways are flushed.
func streamCloseBehindData(t *testing.T) {
	_, c := served(t)
	want := random(256 << 10)
	address := target(t, func(c net.Conn) {
		c.Write(want)
		io.Copy(io.Discard, c)
	})
	l, id, _ := c.dial(address)
	first := l.next(client.PacketType_DATA).GetData().Data
	rest := l.data(id, len(want)-len(first), 32<<10)
	if !slices.Equal(append(first, rest...), want) {
		t.Error("other bytes came than were sent")
	}
	l.send(closeReq(id))
	if rsp := l.next(client.PacketType_CLOSE_RSP).GetCloseResponse(); rsp.ConnectID != id || rsp.Error != "" {
		t.Errorf("%v, want a close without an error", rsp)
	}
}

// streamUnreadNeighbour: a target that does not read holds up its own stream
// alone.
func streamUnreadNeighbour(t *testing.T) {
	_, c := served(t)
	release := make(chan struct{})
	defer close(release)
	stuck, id, _ := c.dial(target(t, func(net.Conn) { <-release }))
	go func() {
		for range 64 {
			if stuck.stream.SendMsg(dataOf(id, make([]byte, 1<<20))) != nil {
				return
			}
		}
	}()
	l, other, _ := c.dial(echo(t))
	for range 20 {
		begin := time.Now()
		l.alive(other)
		if took := time.Since(begin); took > 2*time.Second {
			t.Fatalf("an echo took %v beside a target that does not read", took)
		}
	}
}
