package mux

import "sync/atomic"

// memory counts the receive windows granted by one session against its limit.
type memory struct {
	limit int64
	used  atomic.Int64
}

// take grants n bytes, or none. keep bytes of the limit stay untouched, so that
// streams which grow leave room for streams to come.
func (m *memory) take(n, keep int64) bool {
	for {
		used := m.used.Load()
		if used+n > m.limit-keep {
			return false
		}
		if m.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

func (m *memory) give(n int64) { m.used.Add(-n) }

// admit returns the window for a new stream beyond the start window it has in
// any case, or ok false when there is no memory for even that.
func (m *memory) admit(start, base int64) (extra int64, ok bool) {
	if !m.take(start, 0) {
		return 0, false
	}
	// Half of the memory goes to streams at their base window; beyond that a new
	// stream has to earn its growth.
	if base > start && m.take(base-start, m.limit/2) {
		return base - start, true
	}
	return 0, true
}

// grow grants n more to a stream that keeps up. A quarter stays for newcomers.
func (m *memory) grow(n int64) bool { return m.take(n, m.limit/4) }
