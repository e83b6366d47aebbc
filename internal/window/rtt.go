package window

import (
	"sync"
	"sync/atomic"
	"time"
)

// memoryOfTrips is how long a round trip is remembered, at least.
const memoryOfTrips = 10 * time.Second

// RTT is the shortest round trip of the last 10 to 20 s. What a trip takes beyond
// it was spent in queues, and a window that followed those would only make them
// longer. The zero value knows nothing. It is safe for concurrent use.
type RTT struct {
	least atomic.Int64 // of both, in nanoseconds; 0 before the first

	mu          sync.Mutex
	now, before int64 // the least of this while and of the one before it; 0 none
	since       time.Time
}

// Observe takes a measurement, of at least a nanosecond.
func (r *RTT) Observe(trip time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := int64(max(trip, 1))
	if t := time.Now(); r.now == 0 || t.Sub(r.since) >= memoryOfTrips {
		r.before, r.now, r.since = r.now, n, t
	}
	r.now = min(r.now, n)
	least := r.now
	if r.before > 0 {
		least = min(least, r.before)
	}
	r.least.Store(least)
}

// Min returns the shortest round trip, 0 before the first was measured.
func (r *RTT) Min() time.Duration { return time.Duration(r.least.Load()) }
