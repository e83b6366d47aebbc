package konnectivity

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// maxEarly bounds what a client may say before it has its answer, in bytes. More
// waits in its socket.
const maxEarly = 16 << 10

// errClientLeft is the cause of dials that nobody waits for any more.
var errClientLeft = errors.New("the client left")

// watch reads the conn of a client while its dial is under way, to notice when
// it leaves. HTTP/1.1 has no other sign of it than the end of what the client
// says, so who half-closes before the answer has come has left. What is said in
// the meantime is kept.
//
// Most dials are over before a watch is worth its goroutine: see watches.
type watch struct {
	conn  net.Conn
	gone  func(error)
	early []byte // guarded by watches until run, which owns it until done
	err   error  // how the client left; nil while it has not

	done     chan struct{} // closed when run has ended; nil before it is to begin
	stopping atomic.Bool
	turn     uint64 // of watches, when the dial began
	place    int    // in watches.waiting
}

func (w *watch) run() {
	defer close(w.done)
	buf := make([]byte, 1<<10)
	for len(w.early) < maxEarly {
		n, err := w.conn.Read(buf[:min(len(buf), maxEarly-len(w.early))])
		w.early = append(w.early, buf[:n]...)
		if err != nil {
			if !w.stopping.Load() {
				w.err = err
				w.gone(errClientLeft)
			}
			return
		}
	}
}

// end ends a watch that runs.
func (w *watch) end() {
	w.stopping.Store(true)
	w.conn.SetReadDeadline(time.Unix(1, 0)) // wakes the Read
	<-w.done
	w.conn.SetReadDeadline(time.Time{})
}

// look looks once, where the conn can be looked at, whether the client has left.
func (w *watch) look() {
	if hasEnded(w.conn) {
		w.err = io.EOF
	}
}
