package mux

import (
	"context"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxControl bounds the answers a peer can make us queue (pongs, acks, resets)
// while it does not read them. A peer beyond it is attacking.
const maxControl = 256 << 10

// writer collects frames into batches. Streams append to the batch while there
// is room; when there is none they queue and are served in turn, one frame
// each, straight from the memory of the blocked Write.
type writer struct {
	mu      sync.Mutex
	batch   *[]byte // data frames and what must stay in order with them
	control []byte  // frames that overtake: pings, windows, opens, answers
	spare   []byte  // the control buffer not in use
	queue   queue
	relief  chan struct{} // see backlog
	quiet   chan struct{} // see flush
	busy    bool          // a batch is being written to the conn
	since   atomic.Int64  // when that began, in Unix nanoseconds; 0 while none is
	err     error
	wake    chan struct{}
}

func (w *writer) init() { w.wake = make(chan struct{}, 1) }

func (w *writer) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// room returns how many bytes fit into the batch. w.mu is held.
func (w *writer) room() int {
	if w.batch == nil {
		return batchSize
	}
	return batchSize - len(*w.batch)
}

func (w *writer) open() *[]byte {
	if w.batch == nil {
		w.batch = batches.Get().(*[]byte)
	}
	return w.batch
}

// appendData appends one data frame with as much of p as fits, and returns how
// much that was. w.mu is held.
func (w *writer) appendData(id uint32, p []byte) int {
	n := min(len(p), maxPayload, w.room()-headerSize)
	if n <= 0 || (n < len(p) && n < maxPayload/4) {
		return 0 // no splinters: a frame has its price
	}
	b := w.open()
	*b = header{typ: typeData, id: id, length: uint32(n)}.append(*b)
	*b = append(*b, p[:n]...)
	return n
}

// data sends p as data frames. It returns how many bytes were taken and why not
// all: the deadline passed, the stream stopped, or the session failed.
func (w *writer) data(st *Stream, p []byte) (int, error) {
	w.mu.Lock()
	if err := w.mayWrite(st); err != nil {
		w.mu.Unlock()
		return 0, err
	}
	taken := 0
	for w.queue.n == 0 && taken < len(p) {
		n := w.appendData(st.id, p[taken:])
		if n == 0 {
			break
		}
		taken += n
	}
	if taken == len(p) {
		w.mu.Unlock()
		w.signal()
		return taken, nil
	}
	if st.turn == nil {
		st.turn = &turn{st: st, served: make(chan struct{}, 1)}
	}
	st.turn.rest = p[taken:]
	w.queue.push(st.turn)
	w.mu.Unlock()
	w.signal()
	left, err := w.await(st)
	return len(p) - left, err
}

// mayWrite returns why st may not send data. w.mu is held.
func (w *writer) mayWrite(st *Stream) error {
	if w.err != nil {
		return w.err
	}
	if st.finished {
		return st.writeError()
	}
	return nil
}

// await waits for st's turn and returns how many of the bytes have had none.
func (w *writer) await(st *Stream) (left int, err error) {
	select {
	case <-st.turn.served:
	case <-st.writeDeadline.Done():
		err = os.ErrDeadlineExceeded
	case <-st.wend:
		err = st.writeError()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	left = len(st.turn.rest)
	w.queue.leave(st.turn)
	if left == 0 {
		return 0, nil // it went out after all
	}
	if err == nil {
		err = w.mayWrite(st)
	}
	return left, err
}

// dequeue takes st's waiting Write, if there is one, out of the queue. w.mu is held.
func (w *writer) dequeue(st *Stream) {
	if st.turn != nil {
		w.queue.remove(st.turn)
	}
}

// finish appends the frame that ends st's direction, FIN or RST, behind its
// data. What a blocked Write has not sent is not sent any more.
func (w *writer) finish(st *Stream, h header) {
	w.mu.Lock()
	w.dequeue(st)
	st.finished = true
	if w.err == nil {
		b := w.open()
		*b = h.append(*b)
	}
	w.mu.Unlock()
	w.signal()
}

// overtake appends a frame that goes ahead of all data. It fails when the peer
// has made us queue more than it reads.
func (w *writer) overtake(h header) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return w.err
	}
	if len(w.control) > maxControl {
		return errFlood
	}
	w.control = h.append(w.control)
	w.signal()
	return nil
}

// backlog returns nil, or, while frames without flow control pile up, a channel
// that is closed when the peer has read some.
func (w *writer) backlog() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil || (len(w.control) < maxControl/4 && -w.room() < maxControl/4) {
		return nil
	}
	if w.relief == nil {
		w.relief = make(chan struct{})
	}
	return w.relief
}

// relieve wakes those who wait for the backlog. w.mu is held.
func (w *writer) relieve() {
	if w.relief != nil {
		close(w.relief)
		w.relief = nil
	}
}

// flush waits until everything appended so far has been written to the conn.
func (w *writer) flush(ctx context.Context) error {
	w.mu.Lock()
	if w.err != nil || (!w.busy && len(w.control) == 0 && w.batch == nil && w.queue.n == 0) {
		defer w.mu.Unlock()
		return w.err
	}
	if w.quiet == nil {
		w.quiet = make(chan struct{})
	}
	quiet := w.quiet
	w.mu.Unlock()
	w.signal()
	select {
	case <-quiet:
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// swap takes what is to be sent: control frames and the batch, either of which
// may be empty, and starts the next batch from the queue.
func (w *writer) swap() (control []byte, batch *[]byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil, nil, w.err
	}
	control, w.control, w.spare = w.control, w.spare[:0], nil
	batch, w.batch = w.batch, nil
	w.busy = len(control) > 0 || batch != nil
	if !w.busy && w.quiet != nil {
		close(w.quiet)
		w.quiet = nil
	}
	w.relieve()
	w.refill()
	return control, batch, nil
}

// reuse gives swap's control buffer back.
func (w *writer) reuse(control []byte) {
	if cap(control) > 4<<10 {
		return // one burst of opens must not keep its memory
	}
	w.mu.Lock()
	w.spare = control[:0]
	w.mu.Unlock()
}

// refill moves queued writes into the batch, one frame each in turn. w.mu is held.
func (w *writer) refill() {
	for t := w.queue.head; t != nil; t = w.queue.head {
		n := w.appendData(t.st.id, t.rest)
		if n == 0 {
			return
		}
		if t.rest = t.rest[n:]; len(t.rest) == 0 {
			w.queue.serve(t)
			continue
		}
		w.queue.remove(t)
		w.queue.push(t)
	}
}

// fail ends the writer: every queued and later call gets err.
func (w *writer) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	w.err = err
	for w.queue.head != nil {
		w.queue.serve(w.queue.head)
	}
	w.relieve()
	if w.quiet != nil {
		close(w.quiet)
		w.quiet = nil
	}
	w.control = nil
	if w.batch != nil {
		recycle(w.batch)
		w.batch = nil
	}
	w.signal()
}

// writingFor returns how long the conn has been taking the batch at hand.
func (w *writer) writingFor() time.Duration {
	since := w.since.Load()
	if since == 0 {
		return 0
	}
	return time.Since(time.Unix(0, since))
}

// run writes batches to conn until a write or the session fails.
func (w *writer) run(conn net.Conn) error {
	for {
		control, batch, err := w.swap()
		if err != nil {
			return err
		}
		if len(control) == 0 && batch == nil {
			w.reuse(control)
			<-w.wake // fail signals too
			continue
		}
		w.since.Store(time.Now().UnixNano())
		if err := send(conn, control, batch); err != nil {
			return err
		}
		w.since.Store(0)
		w.reuse(control)
	}
}
