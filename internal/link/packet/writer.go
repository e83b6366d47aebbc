package packet

import (
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"

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

// writer sends packets: first the one in hand, then control packets, then what
// lets the peer send, then one packet of each Write that waits, in turn.
type writer struct {
	c *Carrier

	held atomic.Int64 // bytes that gRPC has been given and has not put into frames
	full atomic.Bool  // nobody sends, because that is as much as it may hold

	mu        sync.Mutex
	running   bool        // somebody sends
	hand      *wire.Frame // taken off a Write that may have returned
	items     []item      // control packets, of which the first sent are gone
	sent      int
	answers   int   // of items
	asks      int   // of items
	grants    *Conn // the list of those whose peer may send more, and is to be told
	lastGrant *Conn
	first     *Conn // the ring of those with a Write that waits for its turn
	closing   bool  // CloseSend when everything has been sent
	err       error // nothing is sent any more
	idle      chan struct{}
	sender    sync.WaitGroup // those that send
}

// message is what SendMsg gets.
type message interface{ SetMeter(wire.Meter) }

// item is something to send. after is called once it has been given to gRPC.
type item struct {
	m      message
	t      wire.Type
	after  func()
	answer bool
	ask    bool
}

// errSentAll is why nothing can be sent behind a CloseSend.
var errSentAll = net.ErrClosed

// nextItem takes the control packet that waits longest. w.mu is held.
func (w *writer) nextItem() item {
	it := w.items[w.sent]
	w.items[w.sent] = item{}
	w.sent++
	w.gone(it)
	return it
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
		if it := w.items[i]; it.m == message(p) {
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
	if !w.waits() && st.turn.credit > 0 && !w.holdsAll() {
		w.hand = w.take(st)
	}
	waits := len(st.turn.rest) > 0
	if waits {
		w.wait(st)
	} else {
		st.turn.rest = nil
	}
	w.drive(st)
	if waits {
		return w.await(st, len(b))
	}
	return len(b), nil
}

// await waits until all of st's Write has been taken, or sends itself. When it
// returns nobody touches the Write's memory any more.
func (w *writer) await(st *Conn, size int) (n int, err error) {
	for late := false; ; late = st.writeDeadline.Passed() {
		w.mu.Lock()
		if !st.turn.writing || late || w.err != nil {
			break
		}
		if st.turn.queued && !w.running && !w.full.Load() {
			w.drive(st)
			continue
		}
		w.mu.Unlock()
		select {
		case <-st.turn.wake:
		case <-st.writeDeadline.Done():
		}
	}
	defer w.mu.Unlock()
	w.settle(st)
	w.pass() // it may have been this one's turn to send
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
	w.settle(st)
}

// control queues a packet.
func (w *writer) control(p *wire.Packet, after func()) error {
	return w.push(item{m: p, t: p.Type, after: after})
}

// answer queues a packet that the peer has provoked. When it provokes more than
// it reads it gets no answer.
func (w *writer) answer(p *wire.Packet) { w.push(item{m: p, t: p.Type, answer: true}) }

func (w *writer) push(it item) error {
	err := w.append(it)
	if err == errFlood {
		w.c.Close(err)
	}
	return err
}

func (w *writer) append(it item) error {
	w.mu.Lock()
	if drop, err := w.refuses(it); drop {
		w.mu.Unlock()
		return err
	}
	if it.answer {
		w.answers++
	}
	if it.ask {
		w.asks++
	}
	w.items = append(w.items, it)
	w.drive(nil)
	return nil
}

// refuses reports whether it is not to be queued, and what to say. w.mu is held.
func (w *writer) refuses(it item) (drop bool, err error) {
	switch {
	case w.err != nil:
		return true, broken(w.err)
	case it.answer && w.answers >= maxAnswers:
		return true, nil
	case it.ask && w.asks >= maxAsks:
		return true, ErrBusy
	case len(w.items)-w.sent >= maxControl:
		return true, errFlood
	}
	return false, nil
}

// finish ends st's writing with a last packet, behind its data.
func (w *writer) finish(st *Conn, p *wire.Packet, after func()) {
	w.stop(st)
	w.control(p, after)
}

// closeSend ends the sending side of a client's stream once everything is sent.
func (w *writer) closeSend() {
	w.mu.Lock()
	w.closing = true
	w.drive(nil)
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
	for w.grants != nil {
		w.nextGrant()
	}
	for w.first != nil {
		w.settle(w.first) // those without credit are ended by their own end
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
	if !w.running && (!w.waits() || w.err != nil) {
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

// join waits for who sends for a writer that has failed.
func (w *writer) join() { w.sender.Wait() }
