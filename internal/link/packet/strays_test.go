package packet

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sallyport/sallyport/internal/wire"
)

// What comes for an id that nobody has is answered, once, and reaches nobody.
func TestStrays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Opener: true})
		mine := p.conn(7)
		p.data(8, "injected")
		p.data(8, "again")
		p.expect(wire.CloseReq, 8)
		p.data(0, "to nobody")
		p.send(&wire.Packet{Type: wire.CloseRsp, ConnectID: 8})
		p.send(&wire.Packet{Type: wire.Type(77)})
		p.quiet()
		p.data(7, "mine")
		if got := readN(t, mine, 4); got != "mine" {
			t.Errorf("read %q", got)
		}
		p.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, false, Config{Extended: true})
		p.data(8, "injected")
		p.data(8, "again")
		p.send(&wire.Packet{Type: wire.CloseReq, ConnectID: 9})
		p.send(&wire.Packet{Type: wire.HalfClose, ConnectID: 9})
		for id := int64(8); id <= 9; id++ {
			if pkt := p.expect(wire.CloseRsp, id); pkt.Error != "unknown connection" {
				t.Errorf("the answer says %q", pkt.Error)
			}
		}
		p.quiet()
		p.stop()
	})
}

func TestStrayHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, false, Config{Stray: func(pkt *wire.Packet) bool { return pkt.ConnectID == 1 }})
		p.data(1, "dealt with")
		p.data(2, "not dealt with")
		p.expect(wire.CloseRsp, 2)
		p.quiet()
		p.stop()
	})
}

// A peer that provokes answers and reads none costs a bounded number of them.
func TestUnreadAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{})
		for id := range int64(10000) {
			p.send(&wire.Packet{Type: wire.CloseReq, ConnectID: id + 1})
		}
		synctest.Wait()
		p.c.w.mu.Lock()
		n := len(p.c.w.items) - p.c.w.sent
		p.c.w.mu.Unlock()
		if n > maxAnswers {
			t.Errorf("%d answers wait", n)
		}
		p.stop()
	})
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{})
		var err error
		for i := 0; err == nil && i < 1e6; i++ {
			err = p.c.Send(&wire.Packet{Type: wire.DialReq, Random: 1})
		}
		if !errors.Is(err, errFlood) {
			t.Errorf("Send without end: %v", err)
		}
		if err := <-p.run; !errors.Is(err, errFlood) {
			t.Errorf("Run: %v", err)
		}
	})
}

func TestHandleAndHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var handled, seen []string
		var failed []wire.Type
		p := newPeer(t, true, Config{
			Handle: func(p *wire.Packet) { handled = append(handled, p.Type.String()) },
			OnPacket: func(out bool, typ wire.Type) {
				seen = append(seen, map[bool]string{true: ">", false: "<"}[out]+typ.String())
			},
			OnError: func(out bool, typ wire.Type, err error) { failed = append(failed, typ) },
		})
		p.send(&wire.Packet{Type: wire.DialReq, Random: 1})
		p.send(&wire.Packet{Type: wire.Drain})
		synctest.Wait()
		p.c.Send(&wire.Packet{Type: wire.DialRsp, Random: 1})
		p.expect(wire.DialRsp, 0)
		p.stop()
		if got := strings.Join(handled, " "); got != "DIAL_REQ DRAIN" {
			t.Errorf("handled %s", got)
		}
		if got := strings.Join(seen, " "); got != "<DIAL_REQ <DRAIN >DIAL_RSP" {
			t.Errorf("seen %s", got)
		}
		if len(failed) != 1 || failed[0] != unknownType {
			t.Errorf("failed %v", failed)
		}
	})
}
