package sshtunnel

import "time"

// forever is longer than any client lives.
const forever = 100 * 365 * 24 * time.Hour

// lives is after how many times Config.KeepAlive of silence a server is dead.
const lives = 3

// farewell is how long a client that takes no dials any more outlives its last conn.
// Some servers confirm a close before they have passed on what came before it, and
// drop that when the client goes.
const farewell = time.Second

// watch ends the client when its server is dead, when it has been idle for long,
// and when it is worn and unused.
func (c *client) watch() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-timer.C:
		case <-c.poke:
		}
		alive := c.checkLife()
		idle := c.checkIdle()
		timer.Reset(min(alive, idle))
	}
}

// checkLife asks a silent server for a sign of life and ends a dead one. It
// returns when to look again.
func (c *client) checkLife() time.Duration {
	every := c.d.cfg.KeepAlive
	if every < 0 {
		return forever
	}
	silence := c.s.line.silence()
	switch {
	case silence >= lives*every:
		c.kill(ErrUnresponsive)
		return forever
	case silence < every:
		return every - silence
	}
	c.ask()
	return min(every, lives*every-silence)
}

// ask asks for a sign of life, unless the last one is still wanted, or the line
// takes nothing and the question would only join those who wait. It does not
// wait for an answer: what counts is that anything comes.
func (c *client) ask() {
	if c.s.line.stuck() > c.d.cfg.KeepAlive/4 || !c.asking.CompareAndSwap(false, true) {
		return
	}
	c.d.wg.Go(func() {
		defer c.asking.Store(false)
		c.s.conn.SendRequest("keepalive@openssh.com", true, nil)
	})
}

// checkIdle ends a client that has been idle for long. It returns when to look
// again, unless something happens before.
func (c *client) checkIdle() time.Duration {
	limit := c.d.cfg.IdleTimeout
	c.d.mu.Lock()
	idle := time.Since(c.idleSince)
	unused, worn := c.unused(), c.worn
	// What was written before a Close may have yet to go out. It has when the server
	// has confirmed the Close.
	sent := c.count[slotClosing] == 0 || idle >= closeLinger
	if worn {
		limit = farewell
	}
	over := unused && sent && limit > 0 && idle >= limit
	if over {
		c.end(nil) // before anybody can dial through it again
	}
	c.d.mu.Unlock()
	switch {
	case over:
		c.s.line.Close()
		return forever
	case !unused || limit < 0:
		return forever
	case idle < limit:
		return limit - idle
	}
	return closeLinger - idle
}
