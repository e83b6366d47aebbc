package konnectivity

import (
	"errors"
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
type watch struct {
	conn     net.Conn
	gone     func(error)
	stopping atomic.Bool
	done     chan struct{}
	early    []byte
	err      error // how the client left; nil while it has not
}

// startWatch watches conn, of which early has been read already, until stop is
// called or the client leaves, for which it calls gone.
func startWatch(conn net.Conn, early []byte, gone func(error)) *watch {
	w := &watch{conn: conn, gone: gone, early: early, done: make(chan struct{})}
	go w.run()
	return w
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

// stop ends the watch and returns what the client has said, and how it left if
// it has.
func (w *watch) stop() (early []byte, left error) {
	w.stopping.Store(true)
	w.conn.SetReadDeadline(time.Unix(1, 0)) // wakes the Read
	<-w.done
	w.conn.SetReadDeadline(time.Time{})
	return w.early, w.err
}
