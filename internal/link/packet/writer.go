package packet

import (
	"net"
	"os"
	"slices"
	"sync"

	"github.com/sallyport/sallyport/internal/wire"
)

const (
	// maxControl bounds the packets other than DATA that wait to be sent.
	maxControl = 16 << 10
	// maxAsks bounds how many of them are requests. Their users can make more while
	// the peer does not read, and must not end everybody's stream by it.
	maxAsks = 1 << 10
	// maxAnswers bounds how many of them the peer can provoke.
	maxAnswers = 256
)

// writer sends packets: first the one in hand, then control packets, then one
// packet of each Write that waits, in turn.
type writer struct {
	c *Carrier

	mu      sync.Mutex
	running bool
	hand    *wire.Packet // DATA taken off a Write that may have returned
	items   []item       // control packets, of which the first sent are gone
	sent    int
	answers int   // of items
	asks    int   // of items
	first   *Conn // the ring of those with a Write that waits
	closing bool  // CloseSend when everything has been sent
	err     error // nothing is sent any more
	idle    chan struct{}
	sender  sync.WaitGroup
}

// item is a control packet. after is called once it has been given to gRPC.
type item struct {
	p      *wire.Packet
	after  func()
	answer bool
	ask    bool
}

// start makes sure that somebody sends. w.mu is held.
func (w *writer) start() {
	if !w.running && w.err == nil {
		w.running = true
		w.sender.Go(w.run)
	}
}

// run sends until there is nothing left.
func (w *writer) run() {
	for {
		p, after := w.next()
		if p == nil && after == nil {
			return
		}
		if p == nil {
			after()
			continue
		}
		t := p.Type
		if err := w.c.cfg.Stream.SendMsg(p); err != nil {
			p.Free()
			w.c.cfg.failed(true, t, err)
			w.c.sendFailed(err)
			continue // next says that it is over
		}
		w.c.cfg.packet(true, t)
		if after != nil {
			after()
		}
	}
}

// next returns the packet to send, or nil when there is none: then the writer no
// longer runs.
func (w *writer) next() (p *wire.Packet, after func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
	case w.hand != nil:
		p, w.hand = w.hand, nil
		return p, nil
	case w.sent < len(w.items):
		return w.nextItem()
	case w.first != nil:
		return w.nextData(), nil
	case w.closing:
		w.closing = false
		w.err = net.ErrClosed
		return nil, func() { w.c.cfg.Stream.(closeSender).CloseSend() }
	}
	w.running = false
	w.wakeIdle()
	return nil, nil
}

func (w *writer) nextItem() (*wire.Packet, func()) {
	it := w.items[w.sent]
	w.items[w.sent] = item{}
	w.sent++
	w.gone(it)
	return it.p, it.after
}

// gone is told of an item that waits no more. w.mu is held.
func (w *writer) gone(it item) {
	if it.answer {
		w.answers--
	}
	if it.ask {
		w.asks--
	}
	if w.sent == len(w.items) {
		w.items, w.sent = w.items[:0], 0
		if cap(w.items) > 64 {
			w.items = nil // one burst must not keep its memory
		}
	}
}

// withdraw takes p back. It reports whether p has not been sent.
func (w *writer) withdraw(p *wire.Packet) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := len(w.items) - 1; i >= w.sent; i-- {
		if it := w.items[i]; it.p == p {
			w.items = slices.Delete(w.items, i, i+1)
			w.gone(it)
			return true
		}
	}
	return false
}

// data sends b for st. It returns how many bytes were taken, and why not all.
func (w *writer) data(st *Conn, b []byte) (int, error) {
	w.mu.Lock()
	if err := w.mayWrite(st); err != nil || len(b) == 0 {
		w.mu.Unlock()
		return 0, err
	}
	st.turn.rest = b
	// What was queued before goes out before: a DIAL_RSP, above all, before the
	// first bytes of its connection.
	if w.hand == nil && w.first == nil && w.sent == len(w.items) {
		w.hand = w.take(st)
	}
	queued := len(st.turn.rest) > 0
	if queued {
		w.enqueue(st)
	} else {
		st.turn.rest = nil
	}
	w.start()
	w.mu.Unlock()
	if queued {
		return w.await(st, len(b))
	}
	return len(b), nil
}

// await waits until the writer has taken all of st's Write. When it returns the
// writer no longer touches the Write's memory.
func (w *writer) await(st *Conn, size int) (n int, err error) {
	for late := false; ; late = st.writeDeadline.Passed() {
		w.mu.Lock()
		if !st.turn.queued || late {
			break
		}
		w.mu.Unlock()
		select {
		case <-st.turn.wake:
		case <-st.writeDeadline.Done():
		}
	}
	defer w.mu.Unlock()
	w.dequeue(st)
	left := len(st.turn.rest)
	st.turn.rest = nil
	if left == 0 {
		return size, nil
	}
	if err = w.mayWrite(st); err == nil {
		err = os.ErrDeadlineExceeded
	}
	return size - left, err
}

// mayWrite returns why st may not send DATA. w.mu is held.
func (w *writer) mayWrite(st *Conn) error {
	if st.turn.finished {
		return st.writeError()
	}
	if w.err != nil {
		return broken(w.err)
	}
	return nil
}

// stop ends st's writing: a Write that waits is taken back.
func (w *writer) stop(st *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	st.turn.finished = true
	w.dequeue(st)
}

// control queues a packet.
func (w *writer) control(p *wire.Packet, after func()) error {
	return w.push(item{p: p, after: after})
}

// answer queues a packet that the peer has provoked. When it provokes more than
// it reads it gets no answer.
func (w *writer) answer(p *wire.Packet) { w.push(item{p: p, answer: true}) }

func (w *writer) push(it item) error {
	err := w.append(it)
	if err == errFlood {
		w.c.Close(err)
	}
	return err
}

func (w *writer) append(it item) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return broken(w.err)
	case it.answer && w.answers >= maxAnswers:
		return nil
	case it.ask && w.asks >= maxAsks:
		return ErrBusy
	case len(w.items)-w.sent >= maxControl:
		return errFlood
	}
	if it.answer {
		w.answers++
	}
	if it.ask {
		w.asks++
	}
	w.items = append(w.items, it)
	w.start()
	return nil
}

// finish ends st's writing with a last packet, behind its data.
func (w *writer) finish(st *Conn, p *wire.Packet, after func()) {
	w.stop(st)
	w.control(p, after)
}

// closeSend ends the sending side of a client's stream once everything is sent.
func (w *writer) closeSend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closing = true
	w.start()
}

// fail ends the writer: nothing more is sent, and Writes that wait return.
func (w *writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	w.err = err
	if w.hand != nil {
		w.hand.Free()
		w.hand = nil
	}
	w.items, w.sent = nil, 0
	for w.first != nil {
		w.dequeue(w.first)
	}
	if !w.running {
		w.wakeIdle()
	}
}

// quiet returns a channel that is closed when nothing waits to be sent.
func (w *writer) quiet() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	idle := w.idle
	if !w.running {
		w.wakeIdle()
	}
	return idle
}

// wakeIdle tells those who wait for quiet. w.mu is held.
func (w *writer) wakeIdle() {
	if w.idle != nil {
		close(w.idle)
		w.idle = nil
	}
}

// join waits for the sender of a writer that has failed.
func (w *writer) join() { w.sender.Wait() }
