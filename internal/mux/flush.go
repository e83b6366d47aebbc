package mux

import "context"

// flush waits until everything appended so far has been written to the conn.
func (w *writer) flush(ctx context.Context) error {
	w.mu.Lock()
	if w.err != nil || (!w.sending && !w.pending()) {
		defer w.mu.Unlock()
		return w.err
	}
	if w.quiet == nil {
		w.quiet = make(chan struct{})
	}
	quiet := w.quiet
	w.mu.Unlock()
	w.signal()
	select {
	case <-quiet:
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// quieten wakes those who wait in flush. w.mu is held.
func (w *writer) quieten() {
	if w.quiet != nil {
		close(w.quiet)
		w.quiet = nil
	}
}
