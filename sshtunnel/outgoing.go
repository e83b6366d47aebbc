package sshtunnel

import (
	"net"
	"sync"

	"github.com/sallyport/sallyport/internal/streamconn"
)

// Sizes of what waits to be sent.
const (
	outSmall = 4 << 10
	outLarge = 64 << 10
)

// The pools hold memory, not state.
var (
	outSmalls = sync.Pool{New: func() any { return new([outSmall]byte) }}
	outLarges = sync.Pool{New: func() any { return new([outLarge]byte) }}
)

// outgoing is what a conn has taken from its writers and not yet sent. An idle
// conn holds no memory here.
type outgoing struct {
	deadline streamconn.Deadline
	room     chan struct{} // one token: there may be room

	mu      sync.Mutex
	queue   []byte // at most outLarge; from a pool, nil when empty
	sending bool   // drain is running
	err     error  // why no more is taken
	fin     bool   // the end of file is to be sent behind the queue
	close   bool   // the close is to be sent behind that
	sentFin bool
	done    bool // the close has been sent, or cannot be
}

func (o *outgoing) init() { o.room = make(chan struct{}, 1) }

// put takes what there is room for. start reports that drain must be started.
func (o *outgoing) put(p []byte) (n int, start bool, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, false, o.err
	}
	n = min(len(p), outLarge-len(o.queue))
	if n == 0 {
		return 0, false, nil
	}
	o.grow(len(o.queue) + n)
	o.queue = append(o.queue, p[:n]...)
	start = !o.sending
	o.sending = true
	return n, start, nil
}

// grow makes room for size bytes in all. o.mu is held.
func (o *outgoing) grow(size int) {
	if size <= cap(o.queue) {
		return
	}
	old := o.queue
	if size <= outSmall {
		o.queue = outSmalls.Get().(*[outSmall]byte)[:0]
	} else {
		o.queue = outLarges.Get().(*[outLarge]byte)[:0]
	}
	o.queue = append(o.queue, old...)
	recycle(old)
}

// recycle gives memory of a queue back.
func recycle(b []byte) {
	switch cap(b) {
	case outSmall:
		outSmalls.Put((*[outSmall]byte)(b[:outSmall]))
	case outLarge:
		outLarges.Put((*[outLarge]byte)(b[:outLarge]))
	}
}

// What drain is to do next.
type step uint8

const (
	stepNone step = iota // nothing; drain ends
	stepData
	stepFin
	stepClose
)

// next returns what to send now. Data is recycled by the caller.
func (o *outgoing) next() (step, []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.done:
	case len(o.queue) > 0:
		b := o.queue
		o.queue = nil
		o.wake()
		return stepData, b
	case o.fin && !o.sentFin:
		o.sentFin = true
		return stepFin, nil
	case o.close:
		o.done = true
		return stepClose, nil
	}
	o.sending = false
	return stepNone, nil
}

func (o *outgoing) wake() {
	select {
	case o.room <- struct{}{}:
	default:
	}
}

// finish has the end of file sent behind what is queued, and the channel closed
// behind that. start reports that drain must be started for it.
func (o *outgoing) finish(closeToo bool) (start bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done || o.fin && (o.close || !closeToo) {
		return false
	}
	if o.err == nil || closeToo {
		o.err = net.ErrClosed
	}
	o.fin = true
	o.close = o.close || closeToo
	start = !o.sending
	o.sending = true
	return start
}

// fail drops what is queued and takes no more, because of err. It reports whether
// that is new.
func (o *outgoing) fail(err error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.done {
		return false
	}
	if o.err == nil {
		o.err = err
	}
	recycle(o.queue)
	o.queue, o.done = nil, true
	return true
}

// refuse has writes fail with err, whatever ended them before.
func (o *outgoing) refuse(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err = err
}

// ended reports whether this side has ended its direction.
func (o *outgoing) ended() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fin
}
