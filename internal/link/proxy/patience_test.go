package proxy

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/wire"
)

// flooded is a client of a server that answers each dial and then sends without
// end. announce is the metadata of its header. told gets what it receives.
func flooded(t *testing.T, extended bool, patience time.Duration, told chan<- wire.Type) *Client {
	t.Helper()
	c := clientOf(t, func(stream grpc.ServerStream) error {
		req := new(wire.Packet)
		if err := stream.RecvMsg(req); err != nil {
			return err
		}
		if extended {
			stream.SetHeader(features())
		}
		stream.SendMsg(&wire.Packet{Type: wire.DialRsp, Random: req.Random, ConnectID: 1})
		var sending sync.WaitGroup
		sending.Go(func() {
			for payload := make([]byte, 32<<10); ; {
				if stream.SendMsg(&wire.Packet{Type: wire.Data, ConnectID: 1, Payload: [][]byte{payload}}) != nil {
					return
				}
			}
		})
		defer sending.Wait()
		p := new(wire.Packet)
		if err := stream.RecvMsg(p); err != nil {
			return err
		}
		told <- p.Type
		return nil
	})
	c.Patience = patience
	return c
}

// clientOf is a client of a server that serves each stream so.
func clientOf(t *testing.T, serve func(grpc.ServerStream) error) *Client {
	t.Helper()
	gs := grpc.NewServer(grpc.ForceServerCodecV2(wire.Codec{}), grpc.WaitForHandlers(true))
	gs.RegisterService(Service(serve), nil)
	path := filepath.Join(t.TempDir(), "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() { gs.Serve(ln) })
	conn, err := grpc.NewClient("unix:"+path, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); gs.Stop(); running.Wait() })
	return &Client{Conn: conn, Go: func(read func()) bool { running.Go(read); return true }}
}

// A server of upstream's would let a conn that nobody reads hold up all others,
// so that one is given up, and the server is told.
func TestUnreadConnOfUpstream(t *testing.T) {
	leak.Check(t)
	told := make(chan wire.Type, 1)
	c, err := flooded(t, false, 50*time.Millisecond, told).Dial(t.Context(), "node-1:10250")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	select {
	case typ := <-told:
		if typ != wire.CloseReq {
			t.Errorf("the server was told %v", typ)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("a conn that nobody reads holds up the server")
	}
	if _, err := io.Copy(io.Discard, c); !errors.Is(err, dialer.ErrReset) {
		t.Errorf("reading it: %v, want a reset", err)
	}
}

// A server of ours has flow control for each connection: nobody is held up, and
// nobody is given up.
func TestUnreadConnOfOurs(t *testing.T) {
	leak.Check(t)
	told := make(chan wire.Type, 1)
	const patience = time.Millisecond
	c, err := flooded(t, true, patience, told).Dial(t.Context(), "node-1:10250")
	if err != nil {
		t.Fatal(err)
	}
	select {
	case typ := <-told:
		t.Errorf("the server was told %v", typ)
	case <-time.After(200 * patience): // that nothing happens takes time to see
	}
	if _, err := io.ReadFull(c, make([]byte, 4<<20)); err != nil {
		t.Errorf("reading after a while: %v", err)
	}
	c.Close()
}
