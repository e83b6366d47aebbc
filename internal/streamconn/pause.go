package streamconn

import (
	"sync/atomic"
	"time"
)

// moment is how long nothing may have happened for a [Pause] to be over: a multiple of
// what it takes to send a few bytes, and shorter than any exchange of them.
const moment = 30 * time.Microsecond

// Pause tells bytes that come alone from those that follow others. What comes alone is
// best sent by whoever brings it; what follows each other costs less when it gathers
// and leaves together. The zero value is over. Its methods may be called by anybody.
type Pause struct {
	began atomic.Int64 // in Unix nanoseconds
}

// Begin notes that something has happened.
func (p *Pause) Begin() { p.began.Store(time.Now().UnixNano()) }

// Over reports whether nothing has for a moment.
func (p *Pause) Over() bool { return time.Since(time.Unix(0, p.began.Load())) >= moment }
