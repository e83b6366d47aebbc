package grpc

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/metadata"

	"github.com/sallyport/sallyport/internal/wire"
)

// A hostile peer on the Connect stream says anything in any order: nothing
// panics, and nothing is left behind when the tunnel has ended.

func FuzzSession(f *testing.F) {
	f.Add(false, []byte{0x00, 0x11, 0x31, 0x41, 0x00, 0x12, 0x22, 0x70, 0x61})
	f.Add(true, []byte{0x00, 0x11, 0x91, 0x31, 0x80, 0x00, 0x92, 0x42, 0x53})
	f.Add(true, []byte{0x00, 0x11, 0xd1, 0xe1, 0x31, 0xd0, 0x00, 0x12, 0xef, 0xdf})
	f.Fuzz(func(t *testing.T, own bool, script []byte) {
		if len(script) > 60 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			md := anAgent
			if own {
				md = anOwnAgent
			}
			s, r := rawSessionOf(t, md, func(*Server) {})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			asked := make(chan int64, 100)
			go func() {
				for {
					p := new(wire.Packet)
					if r.stream.RecvMsg(p) != nil {
						return
					}
					if p.Type == wire.DialReq {
						asked <- p.Random
					}
				}
			}()
			var dialed []<-chan opened
			for _, op := range script {
				if op>>4 == 0 {
					dialed = append(dialed, openLater(ctx, s, "x:1"))
					continue
				}
				r.stream.SendMsg(hostile(op>>4, int64(op&15), asked))
			}
			time.Sleep(time.Second)
			s.Close()
			for _, ch := range dialed {
				if o := <-ch; o.conn != nil {
					io.Copy(io.Discard, o.conn)
					o.conn.Close()
				}
			}
			if n := s.dials.len(); n != 0 {
				t.Errorf("%d dials are left", n)
			}
		})
	})
}

func FuzzAgent(f *testing.F) {
	f.Add(false, []byte{0xa1, 0x31, 0x32, 0x51, 0xa2, 0x81, 0x33, 0x52, 0xa1, 0x70})
	f.Add(false, []byte{0xa1, 0xa1, 0xb2, 0x41, 0x61, 0x31, 0x21})
	f.Add(true, []byte{0xa1, 0xd1, 0x31, 0xe1, 0xe2, 0x61, 0xa2, 0xdf, 0xdf, 0x91})
	f.Fuzz(func(t *testing.T, own bool, script []byte) {
		if len(script) > 60 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			var targets []net.Conn
			all := make(chan net.Conn, 100)
			header := upstreamHeader
			if own {
				header = metadata.Join(upstreamHeader, metadata.Pairs(keyFeatures, "windows,half-close"))
			}
			r := newRawServer(t, header, nil, func(a *Agent) {
				a.MaxConns = 10
				a.Dial = func(ctx context.Context, _, address string) (net.Conn, error) {
					if address == "slow" {
						<-ctx.Done()
						return nil, ctx.Err()
					}
					near, far := net.Pipe()
					all <- far
					return near, nil
				}
			})
			go func() {
				for r.stream.RecvMsg(new(wire.Packet)) == nil {
				}
			}()
			for _, op := range script {
				r.stream.SendMsg(hostile(op>>4, int64(op&15), nil))
			}
			time.Sleep(time.Second)
			r.agent.Close()
			r.ran <- <-r.ran
			for len(all) > 0 {
				targets = append(targets, <-all)
			}
			for _, c := range targets {
				c.Close()
			}
			if n := r.agent.Serving(); n != 0 {
				t.Errorf("%d connections are still served", n)
			}
		})
	})
}

// hostile is a packet of some kind.
func hostile(op byte, id int64, asked <-chan int64) *wire.Packet {
	random := id
	select {
	case random = <-asked:
	default:
	}
	switch op {
	case 1:
		return &wire.Packet{Type: wire.DialRsp, Random: random, ConnectID: id}
	case 2:
		return &wire.Packet{Type: wire.DialRsp, Random: random, Error: "x", Kind: uint8(id)}
	case 3:
		return dataOf(id, "some bytes")
	case 4:
		return &wire.Packet{Type: wire.CloseRsp, ConnectID: id}
	case 5:
		return &wire.Packet{Type: wire.CloseReq, ConnectID: id}
	case 6:
		return &wire.Packet{Type: wire.HalfClose, ConnectID: id}
	case 7:
		return &wire.Packet{Type: wire.Drain}
	case 8:
		return &wire.Packet{Type: wire.DialCls, Random: random}
	case 9:
		return &wire.Packet{Type: wire.CloseRsp, ConnectID: id, Error: "x"}
	case 10:
		return &wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: "x:1", Random: id}
	case 11:
		return &wire.Packet{Type: wire.DialReq, Protocol: "tcp", Address: "slow", Random: id}
	case 12:
		return &wire.Packet{Type: wire.Ping, Random: id}
	case 13:
		return &wire.Packet{Type: wire.Window, ConnectID: id, Window: id << 26}
	case 14:
		return dataOf(id, string(make([]byte, id<<11)))
	}
	return &wire.Packet{Type: wire.Type(id)}
}
