package grpc

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sallyport/sallyport/internal/wire"
)

// What no agent could dial is not sent to one: a packet that is too large ends
// its stream, and with it everybody's connections.
func TestOverlongAddressIsNotSent(t *testing.T) {
	for name, opt := range map[string]options{"windows": func(*Server, *Agent) {}, "packets": packetsOnly} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tu, targets := inMemory(t, opt)
				defer tu.stop()
				huge := strings.Repeat("a", wire.MaxMessage)
				for _, c := range [][2]string{{"tcp", huge + ":80"}, {huge, "x:80"}} {
					_, err := tu.session.Open(t.Context(), c[0], c[1])
					if err == nil || len(err.Error()) > 1<<10 || !strings.Contains(err.Error(), "want at most") {
						t.Errorf("Open: %.80v", err)
					}
				}
				conn, err := tu.session.Open(t.Context(), "tcp", "x:80")
				if err != nil {
					t.Fatalf("and then an honest one: %v", err)
				}
				conn.Close()
				(<-targets.conns).Close()
			})
		})
	}
}

// An agent's words for the addresses of a connection are kept with it, so that
// overlong ones are not taken.
func TestOverlongAddressesOfAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := rawSession(t, func(l *Server) { l.NoWindows = true })
		for id, size := range map[int64]int{1: 20, 2: 1 << 20} {
			ch := openLater(t.Context(), s, "x:1")
			send(t, r.stream, &wire.Packet{
				Type: wire.DialRsp, Random: expect(t, r.stream, wire.DialReq).Random, ConnectID: id,
				Remote: strings.Repeat("a", size), Local: strings.Repeat("b", size),
			})
			o := <-ch
			if o.err != nil {
				t.Fatal(o.err)
			}
			remote, local := o.conn.RemoteAddr().String(), o.conn.LocalAddr().String()
			if told := size < 300; told != (len(remote) == size) || told != (len(local) == size) || !told && remote != "x:1" {
				t.Errorf("addresses of %d bytes became %.40q and %.40q", size, remote, local)
			}
			o.conn.Close()
			expect(t, r.stream, wire.CloseReq)
		}
	})
}
