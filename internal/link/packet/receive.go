package packet

import (
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sallyport/sallyport/internal/wire"
)

// maxTold is how many ids are remembered of which the peer knows that they are
// no connection's.
const maxTold = 64

// ownedPart is the least size of a piece of payload that is kept in the buffer
// it came in. A smaller one is copied: it could hold a buffer many times its size.
const ownedPart = 8 << 10

// received is a packet from the peer whose payload several chunks of a queue may
// share.
type received struct {
	wire.Packet
	parts atomic.Int32
	free  func() // gives one part back
}

// The pool holds memory, not state: nothing depends on what is in it.
var packets = sync.Pool{New: func() any { return new(received) }}

func newReceived() *received {
	r := packets.Get().(*received)
	if r.free == nil {
		r.free = r.release
	}
	r.parts.Store(1)
	return r
}

func (r *received) release() {
	if r.parts.Add(-1) == 0 {
		r.Free()
		packets.Put(r)
	}
}

// receive reads packets until the stream or the carrier ends. io.EOF is the
// peer's orderly end.
func (c *Carrier) receive() error {
	for {
		r := newReceived()
		if err := c.cfg.Stream.RecvMsg(&r.Packet); err != nil {
			r.release()
			if err != io.EOF && c.Err() == nil {
				c.cfg.failed(false, unknownType, err)
			}
			return err
		}
		c.cfg.packet(false, r.Type)
		err := c.dispatch(r)
		r.release()
		if err != nil {
			return err
		}
	}
}

// dispatch acts on one packet. An error ends the stream: the peer breaks the
// protocol.
func (c *Carrier) dispatch(r *received) error {
	switch r.Type {
	case wire.Data, wire.CloseReq, wire.CloseRsp:
	case wire.HalfClose:
		if !c.extended.Load() {
			return nil
		}
	case wire.Window:
		return c.granted(&r.Packet)
	default:
		if c.cfg.Handle != nil {
			c.cfg.Handle(&r.Packet)
		}
		return nil
	}
	st := c.Conn(r.ConnectID)
	if st == nil {
		c.stray(&r.Packet)
		return nil
	}
	switch r.Type {
	case wire.Data:
		return c.data(st, r)
	case wire.CloseReq:
		st.peerCloses()
	case wire.CloseRsp:
		st.peerClosed(&r.Packet)
	case wire.HalfClose:
		st.peerFinished()
	}
	return nil
}

// stray answers a packet for an id that no connection has. The peer may be
// behind, or mistaken, or after somebody else's connection.
func (c *Carrier) stray(p *wire.Packet) {
	if c.cfg.Stray != nil && c.cfg.Stray(p) || p.ConnectID == 0 {
		return
	}
	switch {
	case p.Type == wire.Data && c.answered(p.ConnectID):
	case p.Type == wire.Data && c.cfg.Opener:
		c.w.answer(&wire.Packet{Type: wire.CloseReq, ConnectID: p.ConnectID})
	case p.Type == wire.Data || p.Type == wire.CloseReq:
		c.w.answer(&wire.Packet{Type: wire.CloseRsp, ConnectID: p.ConnectID, Error: "unknown connection"})
	}
}

// answered reports whether the peer was lately told that there is no connection
// with the id, and notes that it is now. One that has much on the road needs to
// be told once.
func (c *Carrier) answered(id int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.told, id) {
		return true
	}
	if len(c.told) < maxTold {
		c.told = append(c.told, id)
		return false
	}
	c.told[c.toldNext] = id
	c.toldNext = (c.toldNext + 1) % maxTold
	return false
}

// data queues a packet's payload for st: at once where there are windows, and
// otherwise once there is room.
func (c *Carrier) data(st *Conn, r *received) error {
	n := r.Len()
	if c.cfg.Windows != nil && !st.win.Received(int64(n)) {
		return fmt.Errorf("%w: %d bytes beyond the window of connection %d", wire.ErrMalformed, n, st.id)
	}
	if n == 0 || st.recv.Ended() != nil {
		return nil // nothing comes behind an end
	}
	if c.cfg.Windows != nil {
		c.enqueue(st, r)
		return nil
	}
	if !c.awaitRoom(st, n) {
		st.GiveUp(errStalled)
		return nil
	}
	if st.recv.Len() == 0 {
		st.seen.Store(c.epoch.Load()) // nobody could have read before
	}
	c.enqueue(st, r)
	c.account(n)
	return nil
}

// enqueue moves a packet's payload into st's queue.
func (c *Carrier) enqueue(st *Conn, r *received) {
	for _, part := range r.Payload {
		if len(part) < ownedPart {
			st.append(part)
			continue
		}
		r.parts.Add(1)
		st.recv.AppendOwned(part, r.free)
	}
}
