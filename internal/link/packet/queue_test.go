package packet

import (
	"bytes"
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
			p := newPeer(t, true, Config{
				Opener: opener, Patience: time.Second, Queue: 1000,
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
		e := newEnds(t, true, true, func(o, a *Config) {
			o.Single, a.Single = true, true
			a.Queue = 16 << 10
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
		if n := a.recv.Len(); n > 16<<10+wire.MaxData {
			t.Errorf("%d bytes are queued", n)
		}
		if got, err := io.ReadAll(a); len(got) != len(want) || err != nil {
			t.Errorf("read %d bytes, %v", len(got), err)
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
