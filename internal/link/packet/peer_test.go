package packet

import (
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// peer is a carrier's far end played by a test, packet by packet.
type peer struct {
	t testing.TB
	s *stream
	c *Carrier
	// run gets what the carrier's Run returned.
	run chan error
}

// newPeer runs a carrier with cfg, whose stream it fills in, and plays its far
// end. The carrier is a client if client. Only for synctest bubbles.
func newPeer(t testing.TB, client bool, cfg Config) *peer {
	t.Helper()
	r := newRoad(4)
	cfg.Stream, cfg.Cancel = r.a, r.a.cut
	if !client {
		cfg.Stream, cfg.Cancel = server{r.a}, r.a.cancel
	}
	p := &peer{t: t, s: r.b, c: New(cfg), run: make(chan error, 1)}
	go func() { p.run <- p.c.Run() }()
	return p
}

func (p *peer) conn(id int64) *Conn {
	p.t.Helper()
	st, err := p.c.NewConn(id, nil, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return st
}

func (p *peer) send(pkt *wire.Packet) {
	p.t.Helper()
	if err := p.s.SendMsg(pkt); err != nil {
		p.t.Fatalf("the peer's SendMsg: %v", err)
	}
}

func (p *peer) data(id int64, payload string) {
	p.t.Helper()
	p.send(&wire.Packet{Type: wire.Data, ConnectID: id, Payload: [][]byte{[]byte(payload)}})
}

// expect receives one packet and checks what matters of it.
func (p *peer) expect(typ wire.Type, id int64) *wire.Packet {
	p.t.Helper()
	pkt := new(wire.Packet)
	if err := p.s.RecvMsg(pkt); err != nil {
		p.t.Fatalf("want %v for %d: %v", typ, id, err)
	}
	if pkt.Type != typ || pkt.ConnectID != id {
		p.t.Fatalf("got %v for %d, want %v for %d", pkt.Type, pkt.ConnectID, typ, id)
	}
	return pkt
}

// expectData receives DATA with the payload, in as many packets as it takes.
func (p *peer) expectData(id int64, payload string) {
	p.t.Helper()
	var got string
	for len(got) < len(payload) {
		pkt := p.expect(wire.Data, id)
		for _, part := range pkt.Payload {
			got += string(part)
		}
	}
	if got != payload {
		p.t.Fatalf("got DATA %.40q, want %.40q", got, payload)
	}
}

// quiet checks that nothing comes for a while.
func (p *peer) quiet() {
	p.t.Helper()
	select {
	case msg := <-p.s.in:
		pkt, _ := wire.Parse(msg)
		p.t.Fatalf("got %v for %d, want nothing", pkt.Type, pkt.ConnectID)
	case <-time.After(time.Second):
	}
}

// stop ends the stream and returns what Run returned.
func (p *peer) stop() error {
	p.s.cut()
	return <-p.run
}
