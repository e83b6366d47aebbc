package packet

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// withWindows is a Config with windows over a round trip of rtt.
func withWindows(rtt time.Duration) Config {
	return Config{
		Extended: true, Memory: 64 << 20,
		Windows: &Windows{RTT: func() time.Duration { return rtt }, Filled: func(time.Duration) {}},
	}
}

// windowed makes a connection with what both ends begin with, and what is granted
// to either beyond it.
func (p *peer) windowed(id, grant, got int64) *Conn {
	p.t.Helper()
	st, err := p.c.NewWindowed(id, nil, nil, grant, got)
	if err != nil {
		p.t.Fatal(err)
	}
	return st
}

func (p *peer) window(id, n int64) {
	p.t.Helper()
	p.send(&wire.Packet{Type: wire.Window, ConnectID: id, Window: n})
}

// A Write goes as far as the peer lets it and no byte further, from the first on;
// a deadline takes the rest back.
func TestWritesKeepToTheWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, withWindows(0))
		st := p.windowed(1, 0, 1000)
		text := strings.Repeat("0123456789", 2000)
		type result struct {
			n   int
			err error
		}
		wrote := make(chan result, 1)
		write := func(b string) { go func() { n, err := st.Write([]byte(b)); wrote <- result{n, err} }() }
		write(text)
		p.expectData(1, text[:StartWindow+1000])
		p.quiet()
		p.window(1, 10)
		p.expectData(1, text[StartWindow+1000:][:10])
		p.quiet()
		st.SetWriteDeadline(time.Now())
		if r := <-wrote; r.n != StartWindow+1010 || !errors.Is(r.err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %d, %v", r.n, r.err)
		}
		p.quiet()
		st.SetWriteDeadline(time.Time{})
		write("more")
		p.quiet()
		other := p.windowed(2, 0, 0)
		go other.Write([]byte("a neighbour"))
		p.expectData(2, "a neighbour")
		p.window(1, 1000)
		p.expectData(1, "more")
		if r := <-wrote; r.n != 4 || r.err != nil {
			t.Errorf("Write: %d, %v", r.n, r.err)
		}
		p.stop()
	})
}

// Close and the end of the stream wake a Write that waits for its window.
func TestWriteWithoutAWindowEnds(t *testing.T) {
	for name, end := range map[string]func(st *Conn, p *peer){
		"Close":      func(st *Conn, p *peer) { st.Close() },
		"CLOSE_RSP":  func(st *Conn, p *peer) { p.send(&wire.Packet{Type: wire.CloseRsp, ConnectID: 1}) },
		"the stream": func(st *Conn, p *peer) { p.s.cut() },
		"Carrier":    func(st *Conn, p *peer) { p.c.Close(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPeer(t, true, withWindows(0))
				st := p.windowed(1, 0, 0)
				ended := make(chan error, 1)
				go func() { _, err := st.Write(make([]byte, 10<<10)); ended <- err }()
				p.expectData(1, string(make([]byte, StartWindow)))
				synctest.Wait()
				end(st, p)
				if err := <-ended; err == nil {
					t.Error("Write: no error")
				}
				p.stop()
			})
		})
	}
}

// A peer that sends a byte beyond what it was granted has broken the protocol,
// also on a connection that is closed here; up to it all is well.
func TestPeerBeyondItsWindow(t *testing.T) {
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cfg := withWindows(0)
			cfg.Opener = true // which remembers what it has closed until the peer has answered
			p := newPeer(t, true, cfg)
			st := p.windowed(1, 1000, 0)
			if closed {
				st.Close()
			}
			p.data(1, strings.Repeat("x", StartWindow))
			p.data(1, strings.Repeat("x", 1000))
			synctest.Wait()
			if err := p.c.Err(); err != nil {
				t.Fatalf("closed %v: within the window: %v", closed, err)
			}
			p.data(1, "x")
			synctest.Wait()
			if err := p.c.Err(); !errors.Is(err, wire.ErrMalformed) || !strings.Contains(err.Error(), "beyond the window") {
				t.Errorf("closed %v: beyond it: %v", closed, err)
			}
			if err := p.stop(); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("closed %v: Run: %v", closed, err)
			}
		})
	}
}

// A WINDOW for a connection that is not known comes late, and means nothing. One
// that makes no sense breaks the protocol.
func TestOddWindows(t *testing.T) {
	for n, ok := range map[int64]bool{0: true, 1: true, maxCredit: true, maxCredit + 1: false, -1: false, -1 << 63: false} {
		synctest.Test(t, func(t *testing.T) {
			p := newPeer(t, true, withWindows(0))
			p.windowed(1, 0, 0)
			for _, id := range []int64{0, 2, -1} {
				p.window(id, n)
			}
			synctest.Wait()
			if err := p.c.Err(); err != nil {
				t.Fatalf("%d for nobody: %v", n, err)
			}
			p.quiet()
			p.window(1, n)
			synctest.Wait()
			if err := p.c.Err(); (err == nil) != ok || !ok && !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("%d: %v", n, err)
			}
			p.stop()
		})
	}
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, withWindows(0))
		p.windowed(1, 0, 0)
		p.window(1, maxCredit)
		p.window(1, maxCredit)
		synctest.Wait()
		if err := p.c.Err(); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("credit without end: %v", err)
		}
		p.stop()
	})
}

// Where there are no windows a WINDOW means nothing.
func TestWindowWithoutWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, Config{Extended: true})
		st := p.conn(1)
		p.window(1, -5)
		go st.Write([]byte(strings.Repeat("x", 10<<10)))
		p.expectData(1, strings.Repeat("x", 10<<10))
		p.stop()
	})
}

// What is read is granted again, in one packet for each connection however many
// grants wait, and none is lost though as much else waits as may.
func TestNoGrantIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPeer(t, true, withWindows(0))
		const conns, rounds = 3, 20
		var all []*Conn
		for id := int64(1); id <= conns; id++ {
			all = append(all, p.windowed(id, 1<<20, 0))
		}
		var jam []*wire.Packet
		for len(jam) < maxAsks { // the peer reads nothing
			jam = append(jam, &wire.Packet{Type: wire.DialReq, Random: int64(len(jam) + 1)})
			p.c.Ask(jam[len(jam)-1])
		}
		want := 0
		for range rounds {
			for i, st := range all {
				p.data(int64(i+1), strings.Repeat("x", 30<<10))
				readN(t, st, 30<<10)
			}
			want += 30 << 10
		}
		got := make(map[int64]int64)
		packets := 0
		for {
			synctest.Wait()
			if len(p.s.in) == 0 {
				break
			}
			pkt := new(wire.Packet)
			if err := p.s.RecvMsg(pkt); err != nil {
				t.Fatal(err)
			}
			if pkt.Type == wire.Window {
				got[pkt.ConnectID] += pkt.Window
				packets++
			}
		}
		for id := int64(1); id <= conns; id++ {
			// Some of it is not worth a packet yet.
			if least := int64(want) - (1<<20)/2; got[id] < least || got[id] > int64(want) {
				t.Errorf("connection %d was granted %d of %d bytes", id, got[id], want)
			}
		}
		if packets != conns {
			t.Errorf("%d packets for what %d connections were granted", packets, conns)
		}
		p.stop()
	})
}
