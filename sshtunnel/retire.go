package sshtunnel

// retire lets the client end with its last conn, and a handshake that nobody waits
// for at once. The caller sees to it that no dial
// is under way and none comes any more. It returns true when there is no client to
// wait for. Otherwise over is called once, when the last one has ended; no lock of d
// is held then, and Close must not be called from it.
func (d *Dialer) retire(over func()) (none bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.attempt != nil {
		d.abandon(d.attempt)
	}
	if d.client == nil && len(d.worn) == 0 {
		return true
	}
	d.over = over
	if c := d.client; c != nil {
		c.worn = true
		c.look()
	}
	return false
}

// retired returns what to call when the last client of a Dialer that was retired has
// ended, and nil otherwise. d.mu is held.
func (d *Dialer) retired() func() {
	if d.client != nil || len(d.worn) > 0 {
		return nil
	}
	over := d.over
	d.over = nil
	return over
}
