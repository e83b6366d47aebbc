package konnectivity

import (
	"net"
	"sync"
	"time"
)

// watchTurn is how often the dials under way are gone through. One that has been
// there for a whole turn gets its client watched, so a client's leaving is
// noticed from at most two turns on.
const watchTurn = 10 * time.Millisecond

// watches are the dials whose clients are not watched yet. They share a timer: one
// of its own would cost a short dial more than all the rest of its watch. The
// zero value is ready. Nothing runs while there are no dials.
type watches struct {
	mu      sync.Mutex
	waiting []*watch
	turn    uint64
	timer   *time.Timer // nil while nobody waits
	closed  bool
}

// start has conn, of which early has been read already, watched from soon on
// until stop is called. gone is called when the client leaves.
func (ws *watches) start(conn net.Conn, early []byte, gone func(error)) *watch {
	w := &watch{conn: conn, gone: gone, early: early}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	w.turn, w.place = ws.turn, len(ws.waiting)
	ws.waiting = append(ws.waiting, w)
	if ws.timer == nil && !ws.closed {
		ws.timer = time.AfterFunc(watchTurn, ws.next)
	}
	return w
}

// next begins a turn.
func (ws *watches) next() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for i := 0; i < len(ws.waiting); {
		if w := ws.waiting[i]; w.turn < ws.turn {
			ws.cut(w)
			w.done = make(chan struct{})
			go w.run() // stop joins it
			continue
		}
		i++
	}
	ws.turn++
	switch {
	case ws.closed:
	case len(ws.waiting) == 0:
		ws.timer = nil
	default:
		ws.timer.Reset(watchTurn)
	}
}

// cut takes w out of those that wait. ws.mu is held.
func (ws *watches) cut(w *watch) {
	last := len(ws.waiting) - 1
	moved := ws.waiting[last]
	ws.waiting[w.place], moved.place = moved, w.place
	ws.waiting[last] = nil
	ws.waiting = ws.waiting[:last]
}

// stop ends a watch and returns what the client has said, as far as it has been
// read, and how it left if it has.
func (ws *watches) stop(w *watch) (early []byte, left error) {
	ws.mu.Lock()
	running := w.done != nil
	if !running {
		ws.cut(w)
	}
	ws.mu.Unlock()
	if running {
		w.end()
	} else {
		w.look()
	}
	return w.early, w.err
}

// close ends the turns. Dials that have not ended are not watched any more.
func (ws *watches) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.closed = true
	if ws.timer != nil {
		ws.timer.Stop()
	}
}
