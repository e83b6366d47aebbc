package suite

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"sigs.k8s.io/apiserver-network-proxy/konnectivity-client/proto/client"
)

// serverMuteAgent: a caller that gives up is told of, and a late answer closes
// what nobody wants any more.
func serverMuteAgent(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	ctx, cancel := context.WithCancel(context.Background())
	req, done := a.pending(w, ctx, "target.test:443")
	cancel()
	if d := a.outcome(done); !errors.Is(d.err, context.Canceled) {
		t.Errorf("the dial returned %v, want %v", d.err, context.Canceled)
	}
	if got := a.next(client.PacketType_DIAL_CLS).GetCloseDial().Random; got != req.Random {
		t.Errorf("gave up dial %d, want %d", got, req.Random)
	}
	a.send(dialRsp(req.Random, 7, ""))
	if got := a.next(client.PacketType_CLOSE_REQ).GetCloseRequest().ConnectID; got != 7 {
		t.Errorf("closed %d, want 7", got)
	}
	a.send(closeRsp(7, ""))
	a.connect(w, 8)
}

// serverMuteAgentLost: a dial fails when its tunnel ends, and not when its time is
// up.
func serverMuteAgentLost(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	_, done := a.pending(w, ctx, "target.test:443")
	begin := time.Now()
	a.hangUp()
	if d := a.outcome(done); d.err == nil {
		t.Error("the dial succeeded")
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the dial failed %v after its tunnel", took)
	}
}

// serverForeignIDs: what an agent says about an id that it was not given, or that
// is another agent's, changes nothing.
func serverForeignIDs(t *testing.T) {
	w := newWorld(t, nil)
	victim := w.theirAgent("victim", "host=target.test")
	c := victim.connect(w, 1)
	for _, id := range []string{"attacker", "victim"} { // the same id on another stream too
		attacker := w.theirAgent(id, "host=elsewhere.test")
		for guess := range int64(20) {
			attacker.send(dataOf(guess, []byte("INJECTED")))
			attacker.send(closeRsp(guess, ""))
			attacker.send(closeReq(guess))
		}
		attacker.send(dataOf(99, []byte("x")))
		for {
			if p := attacker.any(); p.Type == client.PacketType_CLOSE_REQ && p.GetCloseRequest().ConnectID == 99 {
				break // it has read all of it
			}
		}
	}
	victim.send(dataOf(1, []byte("mine")))
	reads(t, c, []byte("mine"))
	io.WriteString(c, "and back")
	if got := victim.data(1, 8, 8); string(got) != "and back" {
		t.Errorf("the victim's agent got %q", got)
	}
}

// serverForeignRandoms: an answer counts on the stream that was asked, and there
// only.
func serverForeignRandoms(t *testing.T) {
	w := newWorld(t, nil)
	victim := w.theirAgent("victim", "host=target.test")
	attacker := w.theirAgent("attacker", "host=elsewhere.test")
	req, done := victim.pending(w, context.Background(), "target.test:443")
	attacker.send(dialRsp(req.Random, 5, "")) // as if it had guessed 63 bits
	if got := attacker.next(client.PacketType_CLOSE_REQ).GetCloseRequest().ConnectID; got != 5 {
		t.Errorf("closed %d, want 5", got)
	}
	attacker.send(dialRsp(req.Random, 0, "no"))
	attacker.send(dialCls(req.Random))
	attacker.send(dataOf(99, []byte("x")))
	attacker.next(client.PacketType_CLOSE_REQ) // so it has read all of it
	victim.send(dialRsp(req.Random, 1, ""))
	d := victim.outcome(done)
	if d.err != nil {
		t.Fatal(d.err)
	}
	defer d.conn.Close()
	victim.send(dataOf(1, []byte("mine")))
	reads(t, d.conn, []byte("mine"))
}

// serverMalformed: such a packet costs its agent the tunnel, and nobody else
// anything.
func serverMalformed(t *testing.T) {
	w := newWorld(t, nil)
	other := w.theirAgent("other", everywhere)
	c := other.connect(w, 1)
	for name, p := range malformed {
		a := w.theirAgent("bad", "host=bad.test")
		a.send(p)
		if st := a.end(); st.Code() != codes.Internal && st.Code() != codes.InvalidArgument && st.Code() != codes.Unavailable {
			t.Errorf("%s: %v", name, st)
		}
		eventually(t, "the bad agent is gone", func() bool { return w.count("bad") == 0 })
		io.WriteString(c, "alive")
		other.data(1, 5, 5)
	}
}

func serverUnknownTypes(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	c := a.connect(w, 1)
	for _, typ := range []client.PacketType{7, 50, 99, 104, -1} {
		p := dataOf(1, []byte("x"))
		p.Type = typ
		a.send(p)
	}
	// These make no sense from an agent, and no difference either.
	a.send(dialReq(5, "tcp", "10.0.0.1:1"))
	a.send(closeRsp(1000, ""))
	a.send(dataOf(0, []byte("x")))
	a.send(dataOf(1, []byte("alive")))
	reads(t, c, []byte("alive"))
}

// serverDrain: an agent that drains gets no new connections while another can.
func serverDrain(t *testing.T) {
	w := newWorld(t, nil)
	leaving := w.theirAgent("leaving", everywhere)
	c := leaving.connect(w, 1)
	leaving.send(drain())
	leaving.send(dataOf(1, []byte("x")))
	reads(t, c, []byte("x"))
	staying := w.theirAgent("staying", everywhere)
	for id := range int64(10) {
		staying.connect(w, id+1)
	}
	staying.hangUp()
	eventually(t, "the other is gone", func() bool { return w.count("staying") == 0 })
	leaving.connect(w, 2) // better than none
}

// serverStuckReader: a caller that does not read holds up the others for a short
// time, and loses its connection.
func serverStuckReader(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	a.connect(w, 1) // and never read
	c := a.connect(w, 2)
	go func() {
		for range 4096 {
			if a.stream.SendMsg(dataOf(1, make([]byte, 4<<10))) != nil {
				return
			}
		}
		a.stream.SendMsg(dataOf(2, []byte("behind all that")))
	}()
	begin := time.Now()
	reads(t, c, []byte("behind all that"))
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the neighbour waited %v", took)
	}
	if got := a.next(client.PacketType_CLOSE_REQ).GetCloseRequest().ConnectID; got != 1 {
		t.Errorf("closed %d, want 1", got)
	}
}

// serverDuplicateIDs: two streams of one agent id have connections of the same
// numbers.
func serverDuplicateIDs(t *testing.T) {
	w := newWorld(t, nil)
	first := w.theirAgent("edge", "host=first.test&"+everywhere)
	c1 := first.connect(w, 1)
	second := w.theirAgent("edge", "host=target.test")
	c2 := second.connect(w, 1)
	first.send(dataOf(1, []byte("one")))
	second.send(dataOf(1, []byte("two")))
	reads(t, c1, []byte("one"))
	reads(t, c2, []byte("two"))
	second.send(closeRsp(1, ""))
	c2.SetReadDeadline(time.Now().Add(patience))
	if _, err := c2.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read returned %v, want EOF", err)
	}
	first.send(dataOf(1, []byte("still")))
	reads(t, c1, []byte("still"))
}

// serverIDGivenTwice: an agent that gives two connections one id gets one of them.
func serverIDGivenTwice(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	c := a.connect(w, 1)
	for _, id := range []int64{1, 0} {
		req, done := a.pending(w, context.Background(), "target.test:443")
		a.send(dialRsp(req.Random, id, ""))
		if d := a.outcome(done); d.err == nil {
			t.Errorf("got a second connection of id %d", id)
			d.conn.Close()
		}
	}
	a.send(dataOf(1, []byte("the first")))
	reads(t, c, []byte("the first"))
}

// serverUnknownID: DATA for a connection that there is not asks for its end.
func serverUnknownID(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	a.send(dataOf(5, []byte("x")))
	if got := a.next(client.PacketType_CLOSE_REQ).GetCloseRequest().ConnectID; got != 5 {
		t.Errorf("closed %d, want 5", got)
	}
}

// serverAgentGivesUp: a DIAL_CLS of the agent's ends the dial.
func serverAgentGivesUp(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	req, done := a.pending(w, context.Background(), "target.test:443")
	a.send(dialCls(req.Random))
	if d := a.outcome(done); d.err == nil {
		t.Error("the dial succeeded")
	}
}

// serverLostToAgent: the agent's stream ends with the server.
func serverLostToAgent(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	a.connect(w, 1)
	w.server.Close()
	a.end()
}

// serverNoSecondStream: one Connect call per connection, so that no stream can
// speak for another.
func serverNoSecondStream(t *testing.T) {
	w := newWorld(t, nil)
	a := w.theirAgent("edge", everywhere)
	ctx, cancel := context.WithCancel(metadata.AppendToOutgoingContext(context.Background(), "agentID", "edge"))
	defer cancel()
	stream, err := a.cc.NewStream(ctx, &bothWays, "/AgentService/Connect", grpc.WaitForReady(true))
	if err != nil {
		t.Fatal(err)
	}
	if st := newLine(t, stream).end(); st.Code() != codes.FailedPrecondition {
		t.Errorf("%v, want a failed precondition", st)
	}
	a.connect(w, 1)
}
