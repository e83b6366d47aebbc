package proxy

import (
	"strings"
	"testing"

	"google.golang.org/grpc"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/streamconn"
	"github.com/sallyport/sallyport/internal/wire"
)

// What a server tells of a conn's addresses is kept with the conn, so that
// overlong ones are not taken.
func TestOverlongAddressesOfAConn(t *testing.T) {
	leak.Check(t)
	for _, size := range []int{20, 1 << 20} {
		c := clientOf(t, func(stream grpc.ServerStream) error {
			p := new(wire.Packet)
			if err := stream.RecvMsg(p); err != nil {
				return err
			}
			told := strings.Repeat("a", size)
			stream.SendMsg(&wire.Packet{Type: wire.DialRsp, Random: p.Random, ConnectID: 1, Local: told, Remote: told})
			return stream.RecvMsg(p)
		})
		c.Local = streamconn.Addr("tcp", "here:1")
		conn, err := c.Dial(t.Context(), "node-1:10250")
		if err != nil {
			t.Fatal(err)
		}
		remote, local := conn.RemoteAddr().String(), conn.LocalAddr().String()
		if size > 300 && (remote != "node-1:10250" || local != "here:1") || size < 300 && (len(remote) != size || len(local) != size) {
			t.Errorf("addresses of %d bytes became %.40q and %.40q", size, remote, local)
		}
		conn.Close()
	}
}
