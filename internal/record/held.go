package record

import (
	"net"
	"sync"

	"github.com/sallyport/sallyport/internal/eager"
)

// held is what a conn holds back of the Write in progress.
type held struct {
	eager *eager.Writer // nil where the conn cannot be written without waiting

	mu   sync.Mutex // held during a write to the conn, so that the order stays
	on   bool
	now  bool   // what is written next must not wait
	back *block // nil while nothing is held back
	n    int    // bytes in back
}

// begin holds back what is written from now on.
func (h *held) begin() {
	h.mu.Lock()
	h.on = true
	h.mu.Unlock()
}

// end lets the next write out, and all that was held back before it.
func (h *held) end() {
	h.mu.Lock()
	h.on = false
	h.mu.Unlock()
}

// drop forgets what is held back, for a Write that has failed.
func (h *held) drop() {
	h.mu.Lock()
	h.on = false
	h.release()
	h.mu.Unlock()
}

func (h *held) write(conn net.Conn, p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n+len(p) > blockSize {
		if err := h.flush(conn); err != nil {
			return 0, err
		}
	}
	if h.now && h.n+len(p) <= blockSize {
		return h.writeNow(p)
	}
	if h.n == 0 && !h.on || len(p) > blockSize {
		return conn.Write(p)
	}
	h.keep(p)
	if h.on {
		return len(p), nil
	}
	if err := h.flush(conn); err != nil {
		return 0, err
	}
	return len(p), nil
}

// writeNow writes what goes without waiting and holds the rest back, for which there
// is room. h.mu is held.
func (h *held) writeNow(p []byte) (n int, err error) {
	if h.n == 0 {
		n, err = h.eager.Write(p)
	}
	if err != nil {
		return n, err
	}
	if n < len(p) {
		h.keep(p[n:])
	}
	return len(p), nil
}

// beginNow has what is written from now on not wait. It reports false if it would have
// to: TLS writes by itself, too, to answer its peer.
func (h *held) beginNow() bool {
	if h.eager == nil || !h.mu.TryLock() {
		return false
	}
	defer h.mu.Unlock()
	h.now = h.n == 0
	return h.now
}

// endNow is the end of beginNow. It reports whether something was held back.
func (h *held) endNow() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now = false
	return h.n > 0
}

// flushAll writes what is held back.
func (h *held) flushAll(conn net.Conn) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.flush(conn)
}

// keep appends p, for which there is room. h.mu is held.
func (h *held) keep(p []byte) {
	if h.back == nil {
		h.back = blocks.Get().(*block)
	}
	h.n += copy(h.back[h.n:], p)
}

// flush writes what is held back. h.mu is held.
func (h *held) flush(conn net.Conn) error {
	if h.n == 0 {
		return nil
	}
	_, err := conn.Write(h.back[:h.n])
	h.release()
	return err
}

// release gives the memory back. h.mu is held.
func (h *held) release() {
	if h.back != nil {
		blocks.Put(h.back)
		h.back, h.n = nil, 0
	}
}
