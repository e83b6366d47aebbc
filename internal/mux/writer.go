package mux

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/internal/streamconn"
)

// writer collects frames into batches. Streams append to the batch while there
// is room; when there is none they queue and are served in turn, one frame
// each, straight from the memory of the blocked Write.
type writer struct {
	eager eagerConn // nil if the conn is none

	mu      sync.Mutex
	batch   *[]byte // data frames and what must stay in order with them
	control []byte  // frames that overtake: pings, windows, opens, answers
	spare   []byte  // the control buffer not in use
	queue   queue
	relief  chan struct{}    // see backlog
	quiet   chan struct{}    // see flush
	pause   streamconn.Pause // since somebody last sent
	sending bool             // somebody writes to the conn, or nobody may yet
	left    bool             // the conn holds back something that has to be flushed
	broken  error            // of a write that was not run's
	since   atomic.Int64     // when that began, in Unix nanoseconds; 0 while none is
	err     error
	wake    chan struct{}
}

func (w *writer) init(conn net.Conn) {
	w.eager, _ = conn.(eagerConn)
	w.wake = make(chan struct{}, 1)
	w.sending = true // until run
}

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
		w.sendSoon()
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
	w.sendSoon()
}

// swap takes what is to be sent: control frames and the batch, either of which
// may be empty, and starts the next batch from the queue. If there is nothing, or
// if somebody else is sending, idle is true. Whoever has swapped calls done.
func (w *writer) swap() (control []byte, batch *[]byte, idle bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
		return nil, nil, false, w.err
	case w.broken != nil:
		return nil, nil, false, w.broken
	case w.sending:
		return nil, nil, true, nil
	case !w.pending():
		w.quieten()
		return nil, nil, true, nil
	}
	w.sending, w.left = true, false // a write takes along what was left
	control, batch = w.take()
	return control, batch, false, nil
}

// pending reports whether there is anything to send. What queues does so behind a
// batch. w.mu is held.
func (w *writer) pending() bool {
	return w.left || len(w.control) > 0 || w.batch != nil
}

// take is the change that swap makes. w.mu is held.
func (w *writer) take() (control []byte, batch *[]byte) {
	control, w.control, w.spare = w.control, w.spare[:0], nil
	batch, w.batch = w.batch, nil
	w.relieve()
	w.refill()
	return control, batch
}

// done ends what swap has begun, and takes its control buffer back.
func (w *writer) done(control []byte) {
	w.mu.Lock()
	w.sent(control)
	w.mu.Unlock()
}

// sent notes that nobody is sending any more, and keeps the control buffer that has
// been sent. w.mu is held.
func (w *writer) sent(control []byte) {
	w.sending = false
	w.pause.Begin()
	if cap(control) <= 4<<10 { // one burst of opens must not keep its memory
		w.spare = control[:0]
	}
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
	w.quieten()
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
	w.done(nil)
	for {
		control, batch, idle, err := w.swap()
		if err != nil {
			return err
		}
		if idle {
			<-w.wake // fail signals too
			continue
		}
		w.since.Store(time.Now().UnixNano())
		if len(control) == 0 && batch == nil {
			err = w.eager.Flush()
		} else {
			err = send(conn, control, batch)
		}
		if err != nil {
			return err
		}
		w.since.Store(0)
		w.done(control)
	}
}
