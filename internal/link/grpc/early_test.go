package grpc

import (
	"bytes"
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sallyport/sallyport/internal/link/message"
)

// However large HTTP/2's window is, an agent that nobody knows yet cannot leave
// much with the server; nor does it hold up the end.
func TestStrangersAreHeardBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		l := &Server{HelloTimeout: time.Minute, KeepAlive: -1}
		l.Authorize = func(ctx context.Context, _ message.Hello) message.Reply {
			<-ctx.Done()
			return message.Reply{Status: message.Denied}
		}
		served := make(chan struct{})
		go func() { l.Serve(ctx, far); close(served) }()
		go func() {
			for b := make([]byte, 4<<10); ; {
				if _, err := near.Read(b); err != nil {
					return
				}
			}
		}()
		near.Write([]byte(http2.ClientPreface))
		framer := http2.NewFramer(near, near)
		framer.WriteSettings()
		var block bytes.Buffer
		fields := hpack.NewEncoder(&block)
		for _, f := range []hpack.HeaderField{
			{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"},
			{Name: ":path", Value: methodConnect}, {Name: ":authority", Value: "server"},
			{Name: "content-type", Value: "application/grpc"}, {Name: "te", Value: "trailers"},
			{Name: keyAgentID, Value: "edge"}, {Name: keyFeatures, Value: "windows,half-close"},
		} {
			fields.WriteField(f)
		}
		framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true})
		sent := 0
		for near.SetWriteDeadline(time.Now().Add(time.Second)); sent < 16<<20; sent += 16 << 10 {
			if framer.WriteData(1, false, make([]byte, 16<<10)) != nil {
				break
			}
		}
		if sent > maxStrange {
			t.Errorf("a stranger got rid of %d bytes", sent)
		}
		cancel()
		<-served
		near.Close()
	})
}
