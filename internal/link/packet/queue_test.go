package packet

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// A consumer that does not read is reset after Patience, alone: its neighbour
// waits that long, once, and loses nothing.
func TestStuckConsumerIsResetAlone(t *testing.T) {
	for _, opener := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			var told []int64
			p := newPeer(t, true, Config{
				Opener: opener, Patience: time.Second, Queue: 1000,
				OnReset: func(id int64) { told = append(told, id) },
			})
			stuck, healthy := p.conn(1), p.conn(2)
			begin := time.Now()
			for range 5 {
				p.data(1, strings.Repeat("x", 400))
				p.data(2, "echo")
			}
			if got := readN(t, healthy, 20); got != strings.Repeat("echo", 5) {
				t.Errorf("the neighbour read %q", got)
			}
			if took := time.Since(begin); took != time.Second {
				t.Errorf("the neighbour waited %v, want Patience", took)
			}
			if opener {
				p.expect(wire.CloseReq, 1)
			} else if pkt := p.expect(wire.CloseRsp, 1); !strings.Contains(pkt.Error, "no progress") {
				t.Errorf("the peer is told %q", pkt.Error)
			}
			if _, err := stuck.Read(make([]byte, 1)); !isResetError(err) || !strings.Contains(err.Error(), "no progress") {
				t.Errorf("the stuck consumer reads %v", err)
			}
			if _, err := stuck.Write([]byte("x")); !isResetError(err) {
				t.Errorf("and writes %v", err)
			}
			if len(told) != 1 || told[0] != 1 {
				t.Errorf("OnReset was told of %v", told)
			}
			stuck.Close()
			p.quiet()
			p.stop()
		})
	}
}

// A consumer that is slow and not stuck keeps its connection.
func TestSlowConsumerIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Opener: true, Patience: time.Second, Queue: 1000})
		slow := p.conn(1)
		want := strings.Repeat("0123456789", 1000)
		go func() {
			for i := 0; i < len(want); i += 500 {
				p.data(1, want[i:i+500])
			}
			p.send(&wire.Packet{Type: wire.CloseRsp, ConnectID: 1})
		}()
		var got strings.Builder
		for got.Len() < len(want) {
			time.Sleep(900 * time.Millisecond)
			got.WriteString(readN(t, slow, 500))
		}
		if got.String() != want {
			t.Error("the bytes are not those that were sent")
		}
		p.stop()
	})
}

// On a stream of its own a consumer may take its time, and what it can hold
// meanwhile is bounded.
func TestSingleConsumerHoldsThePeerBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalled := make(chan bool, 1000)
		e := newEnds(t, true, true, func(o, a *Config) {
			o.Single, a.Single = true, true
			a.Queue = 16 << 10
			a.Stalled = func(waiting bool) { stalled <- waiting }
		})
		o, a := e.conns(1)
		want := bytes.Repeat([]byte("x"), 1<<20)
		written := make(chan struct{})
		go func() {
			o.Write(want)
			o.Close()
			close(written)
		}()
		time.Sleep(time.Hour)
		select {
		case <-written:
			t.Error("1 MiB was taken from a Write whose consumer does not read")
		default:
		}
		if !<-stalled {
			t.Error("Stalled says that the reader does not wait")
		}
		if n := a.recv.Len(); n > 16<<10+wire.MaxData {
			t.Errorf("%d bytes are queued", n)
		}
		if got, err := io.ReadAll(a); len(got) != len(want) || err != nil {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		if <-stalled {
			t.Error("Stalled says that the reader still waits")
		}
		a.Close()
		e.running.Wait()
		e.stop()
	})
}

// GiveUp frees a reader that waits for the connection, and its memory.
func TestGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnds(t, true, true, func(o, a *Config) { o.Single, a.Single, a.Queue = true, true, 1000 })
		o, a := e.conns(1)
		go o.Write(make([]byte, 1<<20))
		time.Sleep(time.Minute)
		a.GiveUp(errStalled)
		a.GiveUp(errStalled)
		if n := a.recv.Len(); n != 0 {
			t.Errorf("%d bytes are still queued", n)
		}
		if _, err := o.Read(make([]byte, 1)); !isResetError(err) {
			t.Errorf("the peer reads %v", err)
		}
		if _, err := a.Read(make([]byte, 1)); !isResetError(err) {
			t.Errorf("the consumer reads %v", err)
		}
		a.Close()
		a.GiveUp(errStalled)
		e.stop()
	})
}

// Beyond Memory the connection that holds most goes, and nobody else.
func TestMemoryOfAllConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Opener: true, Patience: time.Second, Memory: 64 << 10, Queue: 64 << 10})
		small, large := p.conn(1), p.conn(2)
		p.data(1, strings.Repeat("s", 30<<10))
		for range 50 {
			p.data(2, strings.Repeat("l", 1<<10))
		}
		p.expect(wire.CloseReq, 2)
		if _, err := large.Read(make([]byte, 1)); !isResetError(err) || !strings.Contains(err.Error(), "memory") {
			t.Errorf("the one that held most reads %v", err)
		}
		if got := readN(t, small, 30<<10); got != strings.Repeat("s", 30<<10) {
			t.Error("the other one lost its bytes")
		}
		// What a peer has closed and nobody reads counts too.
		left := p.conn(3)
		p.data(3, strings.Repeat("c", 40<<10))
		p.send(&wire.Packet{Type: wire.CloseRsp, ConnectID: 3})
		p.data(1, strings.Repeat("s", 30<<10))
		synctest.Wait()
		if _, err := left.Read(make([]byte, 1)); !isResetError(err) {
			t.Errorf("a connection of no id that holds most reads %v", err)
		}
		if got := readN(t, small, 30<<10); got != strings.Repeat("s", 30<<10) {
			t.Error("the other one lost its bytes")
		}
		p.stop()
	})
}

// A connection's memory is given back when it is closed, and does not count any
// more.
func TestMemoryOfClosedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Memory: 64 << 10, Queue: 64 << 10})
		st := p.conn(1000)
		for id := int64(1); id <= 100; id++ {
			c := p.conn(id)
			p.data(id, strings.Repeat("x", 40<<10))
			synctest.Wait()
			c.Close()
			p.expect(wire.CloseRsp, id)
		}
		p.data(1000, "x")
		if got := readN(t, st, 1); got != "x" {
			t.Errorf("read %q", got)
		}
		p.quiet()
		p.stop()
	})
}

// An empty queue takes a packet of any size that the protocol allows.
func TestLargePacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Opener: true, Patience: time.Second, Queue: 1000})
		st := p.conn(1)
		want := strings.Repeat("sallyport ", wire.MaxAccepted/10)
		p.data(1, want)
		if got := readN(t, st, len(want)); got != want {
			t.Error("the bytes are not those that were sent")
		}
		p.stop()
	})
}

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
