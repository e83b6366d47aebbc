package mux

// eagerConn is a conn to which a few bytes can be written without waiting for the
// peer, such as a *record.TLS.
type eagerConn interface {
	// BeginNow reports whether that is so at the moment. WriteNow must follow.
	BeginNow() bool
	// WriteNow sends p. What there is no room for is left to the next Write or Flush.
	WriteNow(p []byte) (left bool, err error)
	// Flush sends what is left, and waits as Write does.
	Flush() error
}

// eagerMost is the most that a stream's Write sends by itself. A bulk transfer is
// better off with a goroutine that encrypts while it reads.
const eagerMost = joinBelow

// sendSoon sees to it that what was just appended goes out: by the caller itself
// where nobody has sent for a moment, it is little, and the conn need not be waited
// for. So an exchange of small messages wakes no goroutine. w.mu is held, and released.
func (w *writer) sendSoon() {
	if !w.mayBeEager() {
		w.mu.Unlock()
		w.signal()
		return
	}
	w.sending = true
	control, batch := w.take()
	w.mu.Unlock()
	all := join(control, batch)
	left, err := w.eager.WriteNow(all)
	recycle(batch)
	if len(control) > 0 {
		control = all // it may have grown
	}

	w.mu.Lock()
	w.sent(control)
	w.left, w.broken = left, err
	others := w.pending() || err != nil || w.quiet != nil
	w.mu.Unlock()
	if others {
		w.signal()
	}
}

// mayBeEager reports whether the caller, who has appended something, may send it.
// w.mu is held.
func (w *writer) mayBeEager() bool {
	return w.eager != nil && w.err == nil && w.broken == nil && !w.sending && !w.left &&
		len(w.control)+batchSize-w.room() <= eagerMost && w.pause.Over() && w.eager.BeginNow()
}
