package konnectivity

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/wire"
)

// Agents that are refused and do not hang up are no more than those that may be
// set up at one time.
func TestRefusedAgentsThatStayAreBounded(t *testing.T) {
	leak.Check(t)
	const most = 3
	w := newWorld(t, func(c *ServerConfig) {
		c.TLS.ClientAuth, c.TLS.ClientCAs = tls.NoClientCert, nil
		c.Tokens, c.MaxHandshakes = tokens{}, most
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ctx = metadata.NewOutgoingContext(ctx, metadata.Pairs("agentid", "edge", "authorization", "Bearer x"))
	for range 3 * most {
		client, err := grpc.NewClient("passthrough:///"+w.addr,
			grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})),
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{})))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		stream, err := client.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/AgentService/Connect")
		if err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(new(wire.Packet)); status.Code(err) != codes.Unauthenticated {
			t.Fatalf("it was told %v", err)
		}
		w.srv.mu.Lock()
		conns, counted := len(w.srv.conns), w.srv.setups.Len()
		w.srv.mu.Unlock()
		// One that has just given way may not be gone yet.
		if counted == 0 || counted > most || conns > counted+most {
			t.Errorf("%d conns are held, and %d of them count", conns, counted)
		}
	}
}

// Among too many newcomers it is not age that decides: who is slower than the
// flood would never get in.
func TestWhichNewcomerGivesWay(t *testing.T) {
	const most, comers = 32, 96
	w := newWorld(t, func(c *ServerConfig) { c.MaxHandshakes = most })
	var all []net.Conn
	for range comers {
		near, far := net.Pipe()
		t.Cleanup(func() { near.Close(); far.Close() })
		if _, ok := w.srv.addConn(far); !ok {
			t.Fatal("the server is closed")
		}
		defer w.srv.removeConn(far)
		all = append(all, far)
	}
	left := map[net.Conn]bool{}
	w.srv.mu.Lock()
	for e := w.srv.setups.Front(); e != nil; e = e.Next() {
		left[e.Value.(net.Conn)] = true
	}
	w.srv.mu.Unlock()
	if len(left) != most || !left[all[comers-1]] {
		t.Errorf("%d are left, want %d, the newest among them", len(left), most)
	}
	older := 0
	for i, c := range all {
		err := c.SetDeadline(time.Time{}) // a pipe's end says whether it is closed
		if closed := err != nil; closed == left[c] {
			t.Errorf("newcomer %d: closed %v, left %v", i, closed, left[c])
		}
		if left[c] && i < comers-most {
			older++
		}
	}
	if older == 0 {
		t.Error("the oldest gave way each time")
	}
}
