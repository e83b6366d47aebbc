package packet

import (
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/streamconn"
	"github.com/sallyport/sallyport/internal/window"
	"github.com/sallyport/sallyport/internal/wire"
)

// Carrier carries connections over the packets of one stream. [New] makes it
// and [Carrier.Run] must follow; everything else may be called from any
// goroutine.
type Carrier struct {
	cfg      Config
	extended atomic.Bool
	w        writer
	memory   window.Memory // of the windows

	mu    sync.Mutex
	conns map[int64]*Conn
	// told are ids of which the peer knows that they are no connection's.
	told     []int64
	toldNext int
	// unreadBy are connections without an id any more whose queue is not empty.
	unreadBy map[*Conn]struct{}
	overdue  *time.Timer   // ends a stream that its peer should have ended
	err      error         // why it has ended
	done     chan struct{} // closed when err is set

	// Of the reader alone.
	unread   int // upper estimate of what all queues hold; see account
	scanned  int // its value at the last count
	patience patience

	epoch   atomic.Int64         // how many waits have begun
	waiting atomic.Pointer[Conn] // whose full queue the reader waits for
	room    chan struct{}        // one token: that queue may have room

	over atomic.Bool // Single: the connection has ended in order

	workers *streamconn.Workers // deliver what connections get
	own     streamconn.Workers  // what workers is where Config has none
}

// New returns a Carrier. It starts nothing.
func New(cfg Config) *Carrier {
	c := &Carrier{cfg: cfg, conns: make(map[int64]*Conn), done: make(chan struct{}), room: make(chan struct{}, 1)}
	c.extended.Store(cfg.Extended)
	c.patience.full = max(cfg.Patience, 0)
	c.memory.Init(int64(max(cfg.Memory, 0)))
	c.w.c = c
	if c.workers = cfg.Workers; c.workers == nil {
		c.workers = &c.own
	}
	if cfg.Single {
		c.own.Stop() // a goroutine that waits would be one for each connection
	}
	return c
}

// SetExtended says that the peer has turned out to be one of ours. It must come
// before the first NewConn.
func (c *Carrier) SetExtended() { c.extended.Store(true) }

// SetPatience changes Config.Patience once it is known who the peer is. It is for
// Handle, which runs on the reader, and must come before the first NewConn.
func (c *Carrier) SetPatience(d time.Duration) { c.patience.full = max(d, 0) }

// Run receives packets until the stream ends. It returns nil when that was in
// order: the peer said that it sends no more, or a Single connection has ended.
// On return every connection has been failed and the writer joined. A server may
// end its handler then.
func (c *Carrier) Run() error {
	err := c.receive()
	if err == io.EOF {
		err = nil
		c.fail(errEnded)
		c.lastWords()
	}
	if c.over.Load() {
		err = nil
	}
	c.Close(err)
	cause := c.Err()
	c.end(cause) // whoever closed it first may not be done with that
	c.w.join()
	c.own.Wait()
	if err == nil {
		return nil
	}
	return cause
}

// lastWords lets what still waits to be sent go out, for a bounded time.
func (c *Carrier) lastWords() {
	late := time.NewTimer(flushTime)
	defer late.Stop()
	select {
	case <-c.w.quiet():
	case <-late.C:
	case <-c.done:
	case <-c.cfg.Stream.Context().Done():
	}
}

// Close ends the carrier because of err, and with it the stream if Cancel can.
// Connections that have not ended fail. Only the first call counts. Run
// returns.
func (c *Carrier) Close(err error) {
	if err == nil {
		err = net.ErrClosed
	}
	c.mu.Lock()
	ended := c.err != nil
	if !ended {
		c.err = err
		close(c.done)
		if c.overdue != nil {
			c.overdue.Stop()
		}
	}
	c.mu.Unlock()
	if !ended {
		c.end(err)
	}
}

// end does what is to be done once c.err is set. It may be called again.
func (c *Carrier) end(err error) {
	c.own.Stop()
	c.w.fail(err)
	c.fail(err)
	c.mu.Lock()
	clear(c.conns)
	clear(c.unreadBy)
	c.mu.Unlock()
	if c.cfg.Cancel != nil {
		c.cfg.Cancel()
	}
}

// fail ends every connection that is left.
func (c *Carrier) fail(err error) {
	for _, st := range c.list() {
		st.streamEnded(broken(err))
	}
}

func (c *Carrier) list() []*Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.conns))
}

// Done returns a channel that is closed when the carrier has ended, or is about
// to: connections can no longer be made.
func (c *Carrier) Done() <-chan struct{} { return c.done }

// Err returns why the carrier has ended, or nil.
func (c *Carrier) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Send queues a packet that is about no connection of this carrier, or none
// yet, behind everything that was queued or taken from a Write before. It does
// not block. It fails when the carrier has ended; a peer that leaves absurdly
// many packets unread ends it.
func (c *Carrier) Send(p *wire.Packet) error { return c.w.control(p, nil) }

// Ask is Send for a request that may be called off. A bounded number of them
// waits to be sent; beyond that it fails with ErrBusy.
func (c *Carrier) Ask(p *wire.Packet) error { return c.w.push(item{m: p, t: p.Type, ask: true}) }

// Withdraw takes back a request that was given to Ask. It reports whether that
// has not been sent, and will not be.
func (c *Carrier) Withdraw(p *wire.Packet) bool { return c.w.withdraw(p) }

// Answer is Send for a packet that the peer has provoked. A peer that provokes
// many and reads none gets no answer.
func (c *Carrier) Answer(p *wire.Packet) { c.w.answer(p) }

// CloseSend ends the sending side of a client's stream once everything queued
// has been sent. Nothing can be sent any more, and Run returns when the server
// has ended its side.
func (c *Carrier) CloseSend() { c.w.closeSend() }

// NewConn makes the connection with the given id, which the peer knows or is
// about to. A nil address is replaced by one that tells nothing. Packets for the
// id are taken from now on. It fails with ErrTaken when the id is in use, and
// when the carrier has ended. The connection has to be closed.
func (c *Carrier) NewConn(id int64, local, remote net.Addr) (*Conn, error) {
	return c.enter(id, newConn(c, id, local, remote))
}

func (c *Carrier) enter(id int64, st *Conn) (*Conn, error) {
	if id == 0 {
		return nil, fmt.Errorf("connection id 0: %w", wire.ErrMalformed)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, broken(c.err)
	}
	if c.conns[id] != nil {
		return nil, fmt.Errorf("%w: %d", ErrTaken, id)
	}
	c.conns[id] = st
	return st, nil
}

// Conn returns the connection with the given id, or nil. Those that were closed
// here and not yet there are still to be found.
func (c *Carrier) Conn(id int64) *Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conns[id]
}

// Conns returns how many connections the two ends still have between them.
func (c *Carrier) Conns() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns)
}

// Flush returns a channel that is closed when everything written or queued so
// far has been given to gRPC, or the carrier has ended.
func (c *Carrier) Flush() <-chan struct{} { return c.w.quiet() }

// forget ends the life of st's id. hopeless says that the peer needs nothing
// more that is on its way to it.
func (c *Carrier) forget(st *Conn, hopeless bool) {
	if !c.remove(st) {
		return
	}
	st.forgotten()
	if c.cfg.Forgotten != nil {
		c.cfg.Forgotten(st.id)
	}
	if c.cfg.Single {
		c.finish(hopeless)
	}
}

func (c *Carrier) remove(st *Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns[st.id] != st {
		return false
	}
	delete(c.conns, st.id)
	if c.cfg.Memory > 0 && c.cfg.Windows == nil && st.recv.Len() > 0 {
		if c.unreadBy == nil {
			c.unreadBy = make(map[*Conn]struct{})
		}
		c.unreadBy[st] = struct{}{}
	}
	return true
}

// read notes that st's queue will not be read any more.
func (c *Carrier) read(st *Conn) {
	c.consumed(st)
	c.mu.Lock()
	delete(c.unreadBy, st)
	c.mu.Unlock()
}

// finish ends the stream of a Single connection that has ended. A client waits
// for the server's end of it, behind which nothing is on its way any more.
func (c *Carrier) finish(hopeless bool) {
	c.over.Store(true)
	if _, client := c.cfg.Stream.(closeSender); !client {
		c.Close(nil)
		return
	}
	if hopeless {
		c.hurry()
	}
	c.w.closeSend()
}

// closeSender is what a client's stream has more than a server's.
type closeSender interface{ CloseSend() error }

// hurry bounds the rest of the stream's life.
func (c *Carrier) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.overdue == nil && c.err == nil {
		c.overdue = time.AfterFunc(closeTime, func() { c.Close(errSlowEnd) })
	}
}

// sendFailed handles a stream that takes no more packets. What the peer has
// sent may still be read.
func (c *Carrier) sendFailed(err error) {
	if err == io.EOF {
		err = errEnded // RecvMsg knows more
	}
	c.w.fail(err)
	for _, st := range c.list() {
		st.cannotSend(broken(err))
	}
}
