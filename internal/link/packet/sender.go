package packet

import (
	"github.com/sallyport/sallyport/internal/wire"
)

// One goroutine at a time sends. Where SendMsg may block it is one of the
// writer's own, that lives as long as there is something to send. Where the
// stream's Quota is known nothing is sent that would block, so whoever has
// something to send does that itself, without a change of goroutines. One that
// cannot, because gRPC holds as much as it may, leaves it to whoever comes when
// gRPC holds less: the Write whose turn it is then, or a goroutine for packets
// that nobody waits with.

// start makes sure that somebody sends. w.mu is held.
func (w *writer) start() {
	if !w.running && w.err == nil {
		w.running = true
		w.sender.Go(func() { w.pump(nil, false) })
	}
}

// drive sends what is there, or sees to it that somebody does. st is the
// connection whose Write calls, if one does. w.mu is held, and given back.
func (w *writer) drive(st *Conn) {
	if w.c.cfg.Quota <= 0 {
		w.start()
		w.mu.Unlock()
		return
	}
	if w.running || w.err != nil {
		w.mu.Unlock()
		return
	}
	w.running = true
	w.sender.Add(1)
	w.mu.Unlock()
	defer w.sender.Done()
	w.pump(st, true)
}

// pass finds somebody to send, if there is something and nobody does. w.mu is held.
func (w *writer) pass() {
	switch {
	case w.running || w.err != nil || w.full.Load():
	case w.c.cfg.Quota <= 0 && w.waits():
		w.start()
	case w.first != nil:
		w.first.wakeWrite()
	case w.waits():
		w.start()
	}
}

// waits reports whether there is something to send. w.mu is held.
func (w *writer) waits() bool {
	return w.hand != nil || w.sent < len(w.items) || w.grants != nil || w.first != nil || w.closing
}

// pump sends until there is nothing left that it should send. borrowed says that
// the goroutine has something else to do: beside what is no Write's it sends for
// st, and what others write only as long as st waits for its turn.
func (w *writer) pump(st *Conn, borrowed bool) {
	for {
		it, ok := w.next(st, borrowed)
		if !ok {
			return
		}
		if it.m != nil && !w.send(it) {
			continue // next says that it is over
		}
		if it.after != nil {
			it.after()
		}
	}
}

// send gives one message to gRPC.
func (w *writer) send(it item) bool {
	if w.c.cfg.Quota > 0 {
		it.m.SetMeter(w)
	}
	if err := w.c.cfg.Stream.SendMsg(it.m); err != nil {
		w.c.cfg.failed(true, it.t, err)
		w.c.sendFailed(err)
		return false
	}
	w.c.cfg.packet(true, it.t)
	return true
}

// next returns what to send. ok is false when there is nothing, or nothing for
// this goroutine: then it sends no longer.
func (w *writer) next(st *Conn, borrowed bool) (it item, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != nil:
	case w.isFull():
		w.running = false
		return item{}, false
	case w.hand != nil:
		f := w.hand
		w.hand = nil
		return item{m: f, t: wire.Data}, true
	case w.sent < len(w.items):
		return w.nextItem(), true
	case w.grants != nil:
		return item{m: w.nextGrant(), t: wire.Window}, true
	case w.first != nil && borrowed && (st == nil || !st.turn.queued):
		w.running = false
		w.pass()
		return item{}, false
	case w.first != nil:
		return item{m: w.nextData(), t: wire.Data}, true
	case w.closing:
		w.closing = false
		w.err = errSentAll
		return item{after: func() { w.c.cfg.Stream.(closeSender).CloseSend() }}, true
	}
	w.running = false
	w.wakeIdle()
	return item{}, false
}

// isFull reports whether the next message could block. Then released goes on.
// w.mu is held.
func (w *writer) isFull() bool {
	if !w.holdsAll() {
		return false
	}
	w.full.Store(true)
	if w.held.Load() > w.lowQuota() {
		return true
	}
	w.full.Store(false) // it was released in this moment
	return false
}

// holdsAll reports whether gRPC holds as much as it may.
func (w *writer) holdsAll() bool {
	quota := int64(w.c.cfg.Quota)
	return quota > 0 && w.held.Load() >= quota
}

// lowQuota is what gRPC holds when sending goes on: one packet less, so that it
// never runs dry.
func (w *writer) lowQuota() int64 { return int64(w.c.cfg.Quota) * 3 / 4 }

// Count implements wire.Meter.
func (w *writer) Count(n int) {
	held := w.held.Add(int64(n))
	if n < 0 && held <= w.lowQuota() && w.full.Load() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.full.Store(false)
		w.pass()
	}
}
