package packet

import "time"

// awaitRoom waits until st's queue can take n more bytes. It returns false when
// that took more than Patience, or than what is left of it: see patience.
func (c *Carrier) awaitRoom(st *Conn, n int) bool {
	if c.fits(st, n) {
		return true
	}
	if c.patience.spent(st.seen.Load()) {
		return false
	}
	epoch := c.epoch.Add(1)
	c.waiting.Store(st)
	defer c.waiting.Store(nil)
	var late <-chan time.Time
	wait := c.patience.now()
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		late = timer.C
	}
	for !c.fits(st, n) {
		select {
		case <-c.room:
		case <-late:
			c.patience.lost(epoch, wait)
			return false
		case <-c.done:
			return true // the queue has been ended, and takes nothing
		case <-c.cfg.Stream.Context().Done():
			return true // the last packet there is
		}
	}
	return true
}

// fits reports whether st's queue can take n more bytes. One that nobody will
// read takes and drops anything.
func (c *Carrier) fits(st *Conn, n int) bool {
	held := st.recv.Len()
	return held == 0 || held+n <= c.cfg.queue() || st.recv.Ended() != nil
}

// consumed lets the reader know that st's queue has room, if it waits for that.
func (c *Carrier) consumed(st *Conn) {
	st.seen.Store(c.epoch.Load())
	if c.waiting.Load() != st {
		return
	}
	select {
	case c.room <- struct{}{}:
	default:
	}
}

// account holds all queues together to Memory. Counting what they hold costs a
// look at each, so it is done only when as much has come as could matter.
func (c *Carrier) account(n int) {
	limit := c.cfg.Memory
	c.unread += n
	if limit <= 0 || c.unread <= limit || c.unread-c.scanned < limit/16 {
		return
	}
	for {
		sum, st := c.count()
		c.unread, c.scanned = sum, sum
		if sum <= limit || st == nil {
			return
		}
		st.GiveUp(errGreedy)
	}
}

// count returns what all queues hold, and whose holds most.
func (c *Carrier) count() (sum int, greediest *Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := 0
	look := func(st *Conn) {
		held := st.recv.Len()
		sum += held
		if held > most {
			most, greediest = held, st
		}
	}
	for _, st := range c.conns {
		look(st)
	}
	for st := range c.unreadBy {
		look(st)
	}
	return sum, greediest
}
