package mux

// maxControl bounds the answers a peer can make us queue (pongs, acks, resets)
// while it does not read them. A peer beyond it is attacking.
const maxControl = 256 << 10

// overtake appends a frame that goes ahead of all data. It fails when the peer
// has made us queue more than it reads.
func (w *writer) overtake(h header) error {
	w.mu.Lock()
	if err := w.prepend(h); err != nil {
		w.mu.Unlock()
		return err
	}
	w.sendSoon()
	return nil
}

// overtakeLater is overtake for a frame behind which another follows at once.
func (w *writer) overtakeLater(h header) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.prepend(h)
}

// prepend appends a frame to those that go ahead of data. w.mu is held.
func (w *writer) prepend(h header) error {
	if w.err != nil {
		return w.err
	}
	if len(w.control) > maxControl {
		return errFlood
	}
	w.control = h.append(w.control)
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
