package packet

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

const grace = 250 * time.Millisecond

// closeRequestAfter wants a CLOSE_REQ for 1 after exactly wait.
func (p *peer) closeRequestAfter(wait time.Duration) {
	p.t.Helper()
	begin := time.Now()
	p.expect(wire.CloseReq, 1)
	if took := time.Since(begin); took != wait {
		p.t.Errorf("CLOSE_REQ after %v, want %v", took, wait)
	}
}

// A peer that drops what it has not delivered is given its time, from the last
// byte on.
func TestGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Opener: true, Grace: grace})
		st := p.conn(1)
		st.Write([]byte("last words"))
		p.expectData(1, "last words")
		time.Sleep(grace / 5)
		st.Close()
		if !p.c.Graced() {
			t.Error("nothing waits for its grace")
		}
		p.closeRequestAfter(grace - grace/5)
		synctest.Wait()
		if p.c.Graced() {
			t.Error("still waits for its grace")
		}
		p.send(&wire.Packet{Type: wire.CloseRsp, ConnectID: 1})
		synctest.Wait()
		if n := p.c.Conns(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		p.stop()
	})
}

// Nobody waits without a reason: nothing was written, or long ago, or the peer is
// ours, or the connection is reset.
func TestNoGrace(t *testing.T) {
	for name, c := range map[string]struct {
		extended bool
		end      func(st *Conn)
	}{
		"nothing written": {false, func(st *Conn) { st.Close() }},
		"long ago":        {false, func(st *Conn) { st.Write([]byte("x")); time.Sleep(grace); st.Close() }},
		"ours":            {true, func(st *Conn) { st.Write([]byte("x")); st.Close() }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t, true, Config{Opener: true, Extended: c.extended, Grace: grace})
				c.end(p.conn(1))
				if name != "nothing written" {
					p.expectData(1, "x")
				}
				p.closeRequestAfter(0)
				p.stop()
			})
		})
	}
	t.Run("reset", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t, true, Config{Opener: true, Grace: grace})
			st := p.conn(1)
			st.Write([]byte("x"))
			p.expectData(1, "x")
			st.Reset(nil)
			p.closeRequestAfter(0)
			p.stop()
		})
	})
}

// A peer that closes within the grace has nothing more to be told, and neither
// has one whose stream ends.
func TestGraceCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Opener: true, Grace: grace})
		for _, id := range []int64{1, 2} {
			st := p.conn(id)
			st.Write([]byte("x"))
			p.expectData(id, "x")
			st.Close()
		}
		p.send(&wire.Packet{Type: wire.CloseRsp, ConnectID: 1})
		synctest.Wait()
		if n := p.c.Conns(); n != 1 {
			t.Errorf("%d connections are left, want the one that was not answered", n)
		}
		time.Sleep(grace / 2)
		p.stop()
		if p.c.Graced() {
			t.Error("a stream that has ended still waits for a grace")
		}
		time.Sleep(time.Minute) // a late timer would panic the bubble or race
	})
}
