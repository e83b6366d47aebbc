package sshtunnel

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// attempt is a handshake that dials wait for, and its wait for its turn before.
type attempt struct {
	ctx    context.Context // ends when the attempt is given up
	give   context.CancelCauseFunc
	done   chan struct{} // closed once client or err is set
	client *client
	err    *dialer.Error

	// Dialer.mu guards what follows.
	waiters int
	turn    admission // nil until the handshake begins
}

// errUnwanted is why an attempt ended that nobody waited for any more.
var errUnwanted = errors.New("sshtunnel: nobody waits for the handshake any more")

// ready returns a client that takes dials, and makes one where there is none.
// Dials that come meanwhile share the handshake.
func (d *Dialer) ready(ctx context.Context) (*client, error) {
	c, a, err := d.join()
	if c != nil || err != nil {
		return c, err
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		d.leave(a)
		return nil, &dialer.Error{Hop: d.hop(), Err: dialer.CauseOf(ctx, nil)}
	}
	if a.err != nil {
		return nil, a.err
	}
	return a.client, nil
}

// join returns the client, or the attempt to wait for.
func (d *Dialer) join() (*client, *attempt, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, nil, d.failed(ErrClosed)
	}
	if d.client != nil {
		return d.client, nil, nil
	}
	if a := d.attempt; a != nil && a.waiters == 0 && a.turn != nil && !a.turn.resume() {
		d.abandon(a)
	}
	if d.attempt == nil {
		if err := d.waiting(time.Now()); err != nil {
			return nil, nil, err
		}
		d.start()
	}
	d.attempt.waiters++
	return nil, d.attempt, nil
}

// start begins an attempt. d.mu is held.
func (d *Dialer) start() {
	a := &attempt{done: make(chan struct{})}
	a.ctx, a.give = context.WithCancelCause(d.life)
	d.attempt = a
	d.wg.Go(func() {
		defer a.give(nil)
		d.try(a)
	})
}

// leave gives up waiting for a. Without anybody who waits a handshake goes on, or
// callers that have less time than a slow server takes would never get to it: the
// next one finds a client, or the handshake under way. It has a bound of its own, and
// gives way where another one's turn depends on it.
func (d *Dialer) leave(a *attempt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a.waiters--; a.waiters > 0 {
		return
	}
	if a.turn == nil || !a.turn.linger(func() { a.give(errUnwanted) }) {
		d.abandon(a)
	}
}

// abandon ends a: who comes now wants one that is not being given up. d.mu is held.
func (d *Dialer) abandon(a *attempt) {
	a.give(errUnwanted)
	if d.attempt == a {
		d.attempt = nil
	}
}

// try makes the handshake and tells those who wait.
func (d *Dialer) try(a *attempt) {
	defer close(a.done)
	turn, err := d.admitted(a.ctx)
	if err != nil {
		a.err = d.failed(dialer.CauseOf(a.ctx, onTheWay(err)))
		d.drop(a)
		return
	}
	defer turn.done()
	d.mu.Lock()
	a.turn = turn
	d.mu.Unlock()
	s, failure := d.handshake(a.ctx)
	if failure != nil {
		a.err = failure
		d.missed(a, failure)
		return
	}
	d.connected(a, s)
}

// admission is a handshake's turn.
type admission interface {
	done()
	// linger reports whether the handshake may go on now that nobody waits for it. If
	// so, give may still be called, by whoever wants its turn.
	linger(give func()) bool
	// resume is for somebody who wants to wait for it now. It reports whether the
	// handshake still goes on: false when give has been called.
	resume() bool
}

// admitted waits for a turn.
func (d *Dialer) admitted(ctx context.Context) (admission, error) {
	switch {
	case d.cfg.turn != nil:
		return d.cfg.turn(ctx)
	case d.cfg.Admit == nil:
		return byCaller(nil), nil
	}
	done, err := d.cfg.Admit(ctx)
	return byCaller(done), err
}

// byCaller is the turn that Config.Admit has given.
type byCaller func()

func (f byCaller) done() {
	if f != nil {
		f()
	}
}

func (byCaller) linger(func()) bool { return true }
func (byCaller) resume() bool       { return true }

// drop forgets a. d.mu is not held.
func (d *Dialer) drop(a *attempt) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.attempt == a {
		d.attempt = nil
	}
}

// missed notes that a failed. An attempt that was given up says nothing about
// the server.
func (d *Dialer) missed(a *attempt, err *dialer.Error) {
	d.drop(a)
	if a.ctx.Err() != nil {
		return
	}
	d.log.Warn("handshake failed", "err", err)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last, d.lastErr = err, err
	d.leaveAlone()
}

// leaveAlone starts a backoff. d.mu is held.
func (d *Dialer) leaveAlone() {
	if d.cfg.Backoff > 0 {
		d.retryAt = time.Now().Add(d.backoff.Next())
	}
}

// waiting is the error of a dial at a time when the server is left alone, or
// nil. d.mu is held.
func (d *Dialer) waiting(now time.Time) error {
	if d.last == nil || !now.Before(d.retryAt) {
		return nil
	}
	return &dialer.Error{Hop: d.last.Hop, Err: &BackoffError{RetryAt: d.retryAt, Err: d.last.Err}}
}

// connected makes the client of a, unless nobody wants it any more.
func (d *Dialer) connected(a *attempt, s *shaken) {
	c := newClient(d, s)
	d.mu.Lock()
	wanted := d.attempt == a && !d.closed
	if wanted {
		d.attempt, d.client = nil, c
		d.last, d.lastErr, d.retryAt = nil, nil, time.Time{}
		c.run()
	}
	d.mu.Unlock()
	if !wanted {
		s.discard()
		a.err = d.failed(dialer.CauseOf(a.ctx, errUnwanted))
		return
	}
	a.client = c
	d.log.Info("connected", "version", c.version, "hostkey", s.hostKey)
}

// gone takes a client out that has ended, because of err unless this side ended
// it.
func (d *Dialer) gone(c *client, err error) {
	d.mu.Lock()
	if d.client == c {
		d.client = nil
	}
	d.worn = slices.DeleteFunc(d.worn, func(w *client) bool { return w == c })
	if err != nil {
		d.lastErr = err
		if !c.proven {
			// It let the client in and was of no use: that is a failed handshake to
			// who would try it again and again.
			d.last = d.failed(err)
			d.leaveAlone()
		}
	}
	over := d.retired()
	d.mu.Unlock()
	if over != nil {
		defer over()
	}
	if err != nil {
		d.log.Warn("client lost", "err", err)
	} else {
		d.log.Info("client closed")
	}
	d.cfg.Trace.clientClosed(d.cfg.server(), err)
}
