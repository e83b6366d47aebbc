package packet

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// FuzzCarrier lets a hostile peer and a careless user loose on a carrier: any
// packets in any order, any calls at any time. Nothing panics, nothing is left
// behind, the memory stays bounded, and our own packets keep the order that the
// protocol wants.
func FuzzCarrier(f *testing.F) {
	for flags := range byte(16) {
		f.Add([]byte{flags, 0x08, 0x10, 0x00, 0x0a, 0x18, 0x20, 0x28, 0x0b, 0x30, 0x38, 0x40, 0x48})
		f.Add([]byte{flags, 0x08, 0x09, 0x30, 0x31, 0x00, 0x02, 0x0a, 0x0b, 0x50, 0x51, 0x58, 0x18})
		f.Add([]byte{flags, 0x08, 0x60, 0x60, 0x60, 0x60, 0x60, 0x70, 0x01, 0x03, 0x04, 0x78, 0x10})
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		if len(script) < 2 || len(script) > 200 {
			return
		}
		synctest.Test(t, func(t *testing.T) { newFuzz(t, script[0]).run(script[1:]) })
	})
}

const (
	fuzzQueue  = 4 << 10
	fuzzMemory = 16 << 10
	fuzzPacket = 3 << 10
)

// fuzz is one run of a script.
type fuzz struct {
	*peer
	conns map[int64]*Conn
	all   []*Conn
	ended map[int64]bool // ids whose last packet of ours the peer has seen
	eof   bool
}

func newFuzz(t *testing.T, flags byte) *fuzz {
	z := &fuzz{conns: make(map[int64]*Conn), ended: make(map[int64]bool)}
	cfg := Config{
		Opener: flags&1 != 0, Extended: flags&2 != 0, Single: flags&4 != 0,
		Queue: fuzzQueue, Memory: fuzzMemory, Packet: 1 << 10,
		Handle: func(*wire.Packet) {}, Forgotten: func(int64) {},
	}
	if !cfg.Single {
		cfg.Patience = time.Second
	}
	z.peer = newPeer(t, flags&8 != 0, cfg)
	return z
}

func (z *fuzz) run(script []byte) {
	for _, op := range script {
		z.step(op>>3, int64(op&7))
		if op&7 == 7 {
			synctest.Wait()
			z.check()
		}
	}
	for _, st := range z.all {
		st.Close()
	}
	z.s.cut()
	<-z.peer.run
	synctest.Wait()
	if n := z.c.Conns(); n != 0 {
		z.t.Errorf("%d connections outlive their carrier", n)
	}
	for _, st := range z.all {
		if n := st.recv.Len(); n != 0 {
			z.t.Errorf("connection %d holds %d bytes after its Close", st.id, n)
		}
	}
}

// check holds the queues to their bounds.
func (z *fuzz) check() {
	sum := 0
	for _, st := range z.all {
		n := st.recv.Len()
		if sum += n; n > fuzzQueue+fuzzPacket {
			z.t.Errorf("connection %d holds %d bytes", st.id, n)
		}
	}
	if sum > fuzzMemory+fuzzMemory/16+fuzzPacket {
		z.t.Errorf("all connections hold %d bytes", sum)
	}
}

// step does one thing, of the peer's or the user's, with connection id.
func (z *fuzz) step(op byte, id int64) {
	st := z.conns[id]
	switch op {
	case 0:
		z.say(&wire.Packet{Type: wire.Data, ConnectID: id, Payload: [][]byte{make([]byte, 10*id)}})
	case 1:
		if st, err := z.c.NewConn(id, nil, nil); err == nil {
			z.conns[id] = st
			z.all = append(z.all, st)
			z.drain()
			delete(z.ended, id)
		}
	case 2:
		z.say(&wire.Packet{Type: wire.CloseReq, ConnectID: id})
	case 3:
		z.say(&wire.Packet{Type: wire.CloseRsp, ConnectID: id})
	case 4:
		z.say(&wire.Packet{Type: wire.CloseRsp, ConnectID: id, Error: "x", Kind: uint8(id)})
	case 5:
		z.say(&wire.Packet{Type: wire.HalfClose, ConnectID: id})
	case 6:
		z.say(&wire.Packet{Type: wire.Type(id), Random: id, ConnectID: id})
	case 7:
		z.drain()
	case 8:
		time.Sleep(time.Duration(id) * time.Second)
	case 12:
		z.say(&wire.Packet{Type: wire.Data, ConnectID: id, Payload: [][]byte{make([]byte, fuzzPacket)}})
	case 13:
		if id == 6 {
			z.eof = true
			z.s.CloseSend()
		}
	case 15:
		z.c.Send(&wire.Packet{Type: wire.DialReq, Random: id})
	}
	if st != nil {
		z.use(op, st)
	}
}

// use does one of the user's things.
func (z *fuzz) use(op byte, st *Conn) {
	switch op {
	case 9:
		st.Close()
	case 10:
		st.Reset(errors.New("x"))
	case 11:
		if h, ok := st.Net().(*HalfCloser); ok {
			h.CloseWrite()
		}
	case 14:
		st.SetWriteDeadline(time.Now().Add(time.Millisecond))
		st.Write(make([]byte, 100*st.id*st.id))
	case 16:
		st.SetReadDeadline(time.Now().Add(time.Millisecond))
		st.Read(make([]byte, 1000))
	case 17:
		st.GiveUp(errStalled)
	case 18:
		st.OnPeerStop(func() {})
	case 19:
		st.SetReadDeadline(time.Now().Add(time.Millisecond))
		st.WriteTo(io.Discard)
	}
}

// say sends a packet to the carrier, if it takes one.
func (z *fuzz) say(p *wire.Packet) {
	if z.eof {
		return
	}
	bufs, err := wire.Codec{}.Marshal(p)
	if err != nil {
		z.t.Fatal(err)
	}
	select {
	case z.s.out <- bufs.Materialize():
	case <-time.After(time.Millisecond): // its reader waits for somebody
	}
}

// drain reads what the carrier has sent, and checks that an id's last packet was
// the last.
func (z *fuzz) drain() {
	synctest.Wait()
	for {
		select {
		case msg := <-z.s.in:
			z.heard(msg)
			synctest.Wait()
		default:
			return
		}
	}
}

func (z *fuzz) heard(msg []byte) {
	p, err := wire.Parse(msg)
	if err != nil {
		z.t.Errorf("the carrier sends what it could not read: %v", err)
	}
	switch p.Type {
	case wire.Data:
		if z.ended[p.ConnectID] {
			z.t.Errorf("DATA for %d behind its end", p.ConnectID)
		}
	case wire.CloseReq, wire.CloseRsp, wire.HalfClose:
		if z.conns[p.ConnectID] != nil {
			z.ended[p.ConnectID] = true
		}
	}
}
