package packet

import (
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// The windows of connections, in bytes. Each starts with StartWindow, which both
// ends assume, is granted firstWindow at once while memory is plentiful, and grows
// from there as its reader keeps up.
const (
	StartWindow = 4 << 10
	firstWindow = 32 << 10
	maxWindow   = 64 << 20
	// maxCredit is more than any peer has a reason to grant.
	maxCredit = 1 << 30
)

// Windows is what a Carrier needs for windows. Both functions are called without
// locks held and must not block.
type Windows struct {
	// RTT is the round trip, zero while it is not known: no window grows then.
	RTT func() time.Duration
	// Filled is told how long a part of a window took to fill. RTT should be about
	// as young.
	Filled func(took time.Duration)
}

// Admit takes memory for the window of a connection that is about to be, and
// returns how many bytes beyond StartWindow the peer is to be granted. ok is false
// when there is no memory. Who is admitted calls NewWindowed or Dismiss.
func (c *Carrier) Admit() (grant int64, ok bool) {
	if c.cfg.Windows == nil {
		return 0, true
	}
	return c.memory.Admit(StartWindow, firstWindow)
}

// Dismiss gives back what Admit took.
func (c *Carrier) Dismiss(grant int64) {
	if c.cfg.Windows != nil {
		c.memory.Return(StartWindow, grant)
	}
}

// NewWindowed is NewConn for a connection that has been admitted with the one
// grant and to which the peer gives the other. Without Windows both are ignored.
// When it fails it has dismissed what was admitted.
func (c *Carrier) NewWindowed(id int64, local, remote net.Addr, grant, got int64) (*Conn, error) {
	st := newConn(c, id, local, remote)
	if c.cfg.Windows != nil {
		st.win.Init(StartWindow, grant)
		st.turn.credit = StartWindow + min(max(got, 0), maxCredit)
	}
	if _, err := c.enter(id, st); err != nil {
		c.Dismiss(grant)
		return nil, err
	}
	return st, nil
}

// consumedOf lets the peer send more to st, of which n bytes were read, once that
// is worth a packet.
func (c *Carrier) consumedOf(st *Conn, n int) {
	wins := c.cfg.Windows
	grant, took := st.win.Consumed(&c.memory, int64(n), maxWindow, wins.RTT())
	if grant <= 0 {
		return
	}
	if st.recv.Ended() == nil { // or else it sends no more
		c.w.grant(st, grant)
	}
	wins.Filled(took)
}

// granted handles WINDOW. One for a connection that has ended comes late.
func (c *Carrier) granted(p *wire.Packet) error {
	st := c.Conn(p.ConnectID)
	if c.cfg.Windows == nil || st == nil {
		return nil
	}
	if p.Window < 0 || !c.w.credited(st, p.Window) {
		return fmt.Errorf("%w: a window of %d bytes more for connection %d", wire.ErrMalformed, p.Window, p.ConnectID)
	}
	return nil
}

// WindowMemory returns how many bytes the windows come to at the moment.
func (c *Carrier) WindowMemory() int64 { return c.memory.Used() }
