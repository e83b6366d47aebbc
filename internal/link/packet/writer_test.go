package packet

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// A Write of any size goes out in packets that every peer takes.
func TestLargeWriteIsSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Opener: true})
		st := p.conn(1)
		want := strings.Repeat("8 bytes ", 1<<20)
		go func() {
			if n, err := st.Write([]byte(want)); n != len(want) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		}()
		var got strings.Builder
		for got.Len() < len(want) {
			pkt := p.expect(wire.Data, 1)
			if pkt.Len() > wire.MaxData {
				t.Fatalf("a packet of %d bytes", pkt.Len())
			}
			for _, part := range pkt.Payload {
				got.Write(part)
			}
		}
		if got.String() != want {
			t.Error("the bytes are not those that were written")
		}
		p.stop()
	})
}

// Writers take turns, one packet each, however much each has to say.
func TestWritersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Packet: 100})
		for id := int64(1); id <= 3; id++ {
			st := p.conn(id)
			go st.Write(make([]byte, 100*100))
		}
		synctest.Wait()
		small := p.conn(4)
		go small.Write([]byte("small"))
		var order []int64
		for range 40 {
			pkt := new(wire.Packet)
			if err := p.s.RecvMsg(pkt); err != nil {
				t.Fatal(err)
			}
			order = append(order, pkt.ConnectID)
			time.Sleep(time.Millisecond)
		}
		late, count := 0, map[int64]int{}
		for i, id := range order {
			count[id]++
			if id == 4 {
				late = i
			}
		}
		// In front of it are those in the road, one in hand and one of each neighbour.
		if late == 0 || late > 4+2+3 {
			t.Errorf("a small Write went out as packet %d: %v", late, order)
		}
		if count[1] < 11 || count[2] < 11 || count[3] < 11 {
			t.Errorf("the turns are not fair: %v", count)
		}
		p.stop()
	})
}

// A deadline takes a Write back: what it reports as written, and no more, has
// been sent. The connection stays usable.
func TestWriteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Packet: 100})
		st := p.conn(1)
		st.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := st.Write([]byte(strings.Repeat("a", 10_000)))
		if !errors.Is(err, os.ErrDeadlineExceeded) || n == 0 || n == 10_000 {
			t.Fatalf("Write: %d, %v", n, err)
		}
		if _, err := st.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write behind the deadline: %v", err)
		}
		st.SetWriteDeadline(time.Time{})
		go func() {
			st.Write([]byte("b"))
			st.Close()
		}()
		p.expectData(1, strings.Repeat("a", n)+"b")
		p.expect(wire.CloseRsp, 1)
		p.stop()
	})
}

// Close, and the peer's end of the stream, take Writes back that wait.
func TestWaitingWriteEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(st *Conn, p *peer)
		want func(error) bool
	}{
		"Close":     {func(st *Conn, p *peer) { st.Close() }, func(err error) bool { return errors.Is(err, net.ErrClosed) }},
		"Reset":     {func(st *Conn, p *peer) { st.Reset(nil) }, func(err error) bool { return errors.Is(err, net.ErrClosed) }},
		"CLOSE_RSP": {func(st *Conn, p *peer) { p.send(&wire.Packet{Type: wire.CloseRsp, ConnectID: 1, Error: "x"}) }, isResetError},
		"the end":   {func(st *Conn, p *peer) { p.s.cut() }, isResetError},
		"the carrier's Close": {func(st *Conn, p *peer) { p.c.Close(nil) }, func(err error) bool {
			return isResetError(err) && !errors.Is(err, net.ErrClosed)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t, true, Config{Opener: true})
				st := p.conn(1)
				end := make(chan error, 1)
				go func() {
					_, err := st.Write(make([]byte, 10<<20))
					end <- err
				}()
				synctest.Wait()
				c.end(st, p)
				if err := <-end; !c.want(err) {
					t.Errorf("Write: %v", err)
				}
				p.stop()
			})
		})
	}
}

// What is queued before Flush has been given to the stream after it.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{})
		<-p.c.Flush()
		for range 8 {
			p.c.Send(&wire.Packet{Type: wire.Drain})
		}
		select {
		case <-p.c.Flush():
			t.Error("Flush is done while packets wait")
		case <-time.After(time.Second):
		}
		flushed := p.c.Flush()
		for range 8 {
			p.expect(wire.Drain, 0)
		}
		<-flushed
		p.stop()
		<-p.c.Flush()
	})
}

// What was queued first goes out first: the peer must have the answer that tells
// it of a connection before that connection's bytes.
func TestDataDoesNotOvertakeWhatWasQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{})
		for range 5 { // as many as the road takes, and one that waits
			p.c.Send(&wire.Packet{Type: wire.Ping})
		}
		synctest.Wait()
		st := p.conn(1)
		p.c.Send(&wire.Packet{Type: wire.DialRsp, ConnectID: 1})
		go st.Write([]byte("hello"))
		synctest.Wait()
		for range 5 {
			p.expect(wire.Ping, 0)
		}
		p.expect(wire.DialRsp, 1)
		p.expectData(1, "hello")
		p.stop()
	})
}

// Requests that their users call off before they are sent leave nothing behind,
// however many there are, and those that wait are bounded without an end to the
// stream.
func TestAskAndWithdraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{})
		request := func(id int) *wire.Packet { return &wire.Packet{Type: wire.DialReq, Random: int64(id), Address: "x:1"} }
		first := request(1)
		p.c.Ask(first)
		synctest.Wait()
		if p.c.Withdraw(first) {
			t.Error("one was withdrawn that has been sent")
		}
		var sent int
		for p.c.w.asks < maxAsks {
			if err := p.c.Ask(request(2)); err != nil {
				t.Fatal(err)
			}
			sent++
			synctest.Wait() // the road takes a few
		}
		last := request(3)
		if err := p.c.Ask(last); err != ErrBusy {
			t.Errorf("one too many: %v", err)
		}
		if p.c.Withdraw(last) {
			t.Error("one was withdrawn that was never queued")
		}
		if err := p.c.Send(&wire.Packet{Type: wire.Drain}); err != nil {
			t.Errorf("a packet of another kind: %v", err)
		}
		p.c.w.mu.Lock()
		queued := p.c.w.items[len(p.c.w.items)-2].m.(*wire.Packet)
		p.c.w.mu.Unlock()
		if !p.c.Withdraw(queued) || p.c.Withdraw(queued) {
			t.Error("one that waits can be withdrawn, once")
		}
		for range 3 * maxControl {
			r := request(3)
			if err := p.c.Ask(r); err != nil || !p.c.Withdraw(r) {
				t.Fatalf("one that waits and is withdrawn: %v", err)
			}
		}
		for _, want := range slices.Concat([]int64{1}, slices.Repeat([]int64{2}, sent-1), []int64{0}) {
			pkt := new(wire.Packet)
			if err := p.s.RecvMsg(pkt); err != nil || pkt.Random != want {
				t.Fatalf("got %v %d, %v, want %d", pkt.Type, pkt.Random, err, want)
			}
		}
		p.c.w.mu.Lock()
		if n := len(p.c.w.items) + p.c.w.asks; n != 0 {
			t.Errorf("%d are left", n)
		}
		p.c.w.mu.Unlock()
		p.stop()
	})
}
