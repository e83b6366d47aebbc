package record

import (
	"net"
	"sync"
)

// held is what a conn holds back of the Write in progress.
type held struct {
	mu   sync.Mutex // held during a write to the conn, so that the order stays
	on   bool
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
