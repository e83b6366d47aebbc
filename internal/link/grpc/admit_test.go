package grpc

import (
	"context"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/wire"
)

// ends returns how a stream ends on which nothing is said.
func ends(stream grpc.ClientStream) codes.Code {
	return status.Code(stream.RecvMsg(new(wire.Packet)))
}

// A peer that has not been taken has one stream, and the server reads nothing
// from it: what a message announces would be held for it.
func TestStreamsBeforeTheHello(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far, near := net.Pipe()
		asked, decide := make(chan struct{}), make(chan struct{})
		l := &Server{HelloTimeout: 5 * time.Second, KeepAlive: -1}
		l.Authorize = func(context.Context, message.Hello) message.Reply {
			close(asked)
			<-decide
			return message.Reply{Status: message.Denied, Text: "no"}
		}
		served := make(chan error, 1)
		go func() { served <- l.Serve(t.Context(), far) }()
		r := newRawClient(t, near)
		defer func() { r.client.Close(); <-served }()
		refused := func(when string) {
			begin := time.Now()
			for method, want := range map[string]codes.Code{methodConnection: codes.FailedPrecondition, "/x/y": codes.Unimplemented} {
				if got := ends(r.open(method, anOwnAgent)); got != want || time.Since(begin) != 0 {
					t.Errorf("%s, %s ends with %v after %v, want %v at once", when, method, got, time.Since(begin), want)
				}
			}
		}
		refused("before Connect")
		connect := r.open(methodConnect, anOwnAgent)
		<-asked
		refused("during Connect")
		if got := ends(r.open(methodConnect, anOwnAgent)); got != codes.FailedPrecondition {
			t.Errorf("a second Connect: %v", got)
		}
		close(decide)
		if got := ends(connect); got != codes.PermissionDenied {
			t.Errorf("Connect: %v", got)
		}
		refused("after a refusal")
	})
}

// An agent with packets on one stream has no other: its connections would count
// against nothing there.
func TestStreamsNobodyAgreedTo(t *testing.T) {
	noStreams := func(l *Server) { l.NoStreams = true }
	for name, c := range map[string]struct {
		md   metadata.MD
		tune func(*Server)
	}{
		"an agent of upstream's":     {anAgent, func(*Server) {}},
		"the same, and no streams":   {anAgent, noStreams},
		"ours, where there are none": {anOwnAgent, noStreams},
		"ours, which has half of it": {metadata.Join(anAgent, metadata.Pairs(keyFeatures, "half-close")), func(*Server) {}},
		"ours, with the other half":  {metadata.Join(anAgent, metadata.Pairs(keyFeatures, "streams")), func(*Server) {}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, r := rawSessionOf(t, c.md, c.tune)
				defer time.AfterFunc(time.Minute, func() { r.client.Close() }).Stop() // should it be served
				ch := openLater(t.Context(), s, "x:1")
				req := expect(t, r.stream, wire.DialReq)
				stream := r.open(methodConnection, nil)
				stream.SendMsg(&wire.Packet{Type: wire.DialRsp, Random: req.Random, ConnectID: 1})
				if got := ends(stream); got != codes.FailedPrecondition {
					t.Errorf("it ends with %v", got)
				}
				send(t, r.stream, &wire.Packet{Type: wire.DialRsp, Random: req.Random, ConnectID: 1})
				o := <-ch // the dial still waits for its answer
				if o.err != nil {
					t.Fatal(o.err)
				}
				o.conn.Close()
			})
		})
	}
}

// Streams on which nothing has been said are no more than were asked for, with
// some to spare.
func TestMoreStreamsThanAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := ownSession(t, func(*Server) {})
		ctx, cancel := context.WithCancel(t.Context())
		a := openLater(ctx, s, "x:1")
		expect(t, r.stream, wire.DialReq)
		b := openLater(t.Context(), s, "x:2")
		random := expect(t, r.stream, wire.DialReq).Random
		cancel()
		<-a // the agent may be about to answer it nevertheless
		expect(t, r.stream, wire.DialCls)
		ended := make(chan codes.Code, 100)
		for range spare + 2 {
			stream := r.open(methodConnection, nil)
			go func() { ended <- ends(stream) }()
		}
		synctest.Wait()
		if len(ended) != 0 {
			t.Fatalf("one that was asked for ends with %v", <-ended)
		}
		if got := ends(r.open(methodConnection, nil)); got != codes.ResourceExhausted {
			t.Errorf("one too many ends with %v", got)
		}
		time.Sleep(6 * time.Second) // HelloTimeout
		if len(ended) != spare+2 {
			t.Errorf("%d mute streams have ended", len(ended))
		}
		stream := r.open(methodConnection, nil)
		send(t, stream, &wire.Packet{Type: wire.DialRsp, Random: random, ConnectID: 1})
		o := <-b
		if o.err != nil {
			t.Fatalf("the other dial: %v", o.err)
		}
		o.conn.Close()
	})
}

// Between our own ends no packet is larger than they make it, in either
// direction; one that is ends its connection and nothing else.
func TestTooLargeAPacketOnAStream(t *testing.T) {
	huge := func() *wire.Packet {
		return &wire.Packet{Type: wire.Data, ConnectID: 1, Payload: [][]byte{make([]byte, 64<<10)}}
	}
	synctest.Test(t, func(t *testing.T) {
		s, r := ownSession(t, func(*Server) {})
		ch := openLater(t.Context(), s, "x:1")
		stream := r.open(methodConnection, nil)
		send(t, stream, &wire.Packet{Type: wire.DialRsp, Random: expect(t, r.stream, wire.DialReq).Random, ConnectID: 1})
		conn := (<-ch).conn
		stream.SendMsg(huge())
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, dialer.ErrReset) {
			t.Errorf("at the server: %v", err)
		}
		conn.Close()
		synctest.Wait()
		if s.why() != net.ErrClosed || s.Load() != 0 {
			t.Errorf("the session: %v, load %d", s.why(), s.Load())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		tu, targets := inMemory(t)
		defer tu.stop()
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		tu.session.connections()[0].carrier.Send(huge())
		if n, err := target.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("the target got it")
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, dialer.ErrReset) {
			t.Errorf("at the agent: %v", err)
		}
		conn.Close()
		again, err := tu.session.Open(t.Context(), "tcp", "x:2")
		if err != nil {
			t.Fatalf("the next connection: %v", err)
		}
		again.Close()
		(<-targets.conns).Close()
	})
}
