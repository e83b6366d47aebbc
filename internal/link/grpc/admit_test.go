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
func TestStreamsBesideTheOne(t *testing.T) {
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
			if got := ends(r.open("/x/y", anOwnAgent)); got != codes.Unimplemented || time.Since(begin) != 0 {
				t.Errorf("%s, another call ends with %v after %v", when, got, time.Since(begin))
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

// Between our own ends no packet is larger than they make it, in either
// direction; one that is breaks the protocol.
func TestTooLargeAPacket(t *testing.T) {
	huge := func() *wire.Packet {
		return &wire.Packet{Type: wire.Data, ConnectID: 1, Payload: [][]byte{make([]byte, 64<<10)}}
	}
	synctest.Test(t, func(t *testing.T) {
		s, r := ownSession(t, func(*Server) {})
		conn := openVia(t, s, r, 1)
		r.stream.SendMsg(huge())
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, dialer.ErrReset) {
			t.Errorf("at the server: %v", err)
		}
		conn.Close()
		<-s.Done()
	})
	synctest.Test(t, func(t *testing.T) {
		tu, targets := inMemory(t)
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		tu.session.control.Send(huge())
		if n, err := target.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("the target got it")
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, dialer.ErrReset) {
			t.Errorf("at the server: %v", err)
		}
		conn.Close()
		tu.stop()
	})
}
