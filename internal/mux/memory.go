package mux

import "sync/atomic"

// memory counts the receive windows granted by one session against its limit.
//
// A stream that stalls keeps what it was granted, for that much may be on its
// way. So what one stream can take must leave something for the next: growth
// gets half of the memory, and no stream more than half of what the others leave
// of that. Streams at their first window never compete with growth.
type memory struct {
	limit int64
	used  atomic.Int64 // everything granted
	base  atomic.Int64 // of it, first windows
	grown atomic.Int64 // of it, growth
}

// takeFrom grants n bytes of one account as long as it stays within limit.
func takeFrom(account *atomic.Int64, n, limit int64) bool {
	for {
		used := account.Load()
		if used+n > limit {
			return false
		}
		if account.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

// admit returns the window for a new stream beyond the start window it has in
// any case, or ok false when there is no memory for even that. A quarter of the
// memory goes to streams at the full first window; further ones start small.
func (m *memory) admit(start, base int64) (extra int64, ok bool) {
	if !takeFrom(&m.used, start, m.limit) {
		return 0, false
	}
	extra = base - start
	if extra <= 0 || !takeFrom(&m.base, extra, m.limit/4) {
		return 0, true
	}
	if !takeFrom(&m.used, extra, m.limit) {
		m.base.Add(-extra)
		return 0, true
	}
	return extra, true
}

// grow grants up to want bytes more to a stream that keeps up and has grown by own
// already, and returns how many. Less than a frame is not worth having.
func (m *memory) grow(want, own int64) int64 {
	for {
		grown := m.grown.Load()
		share := (m.limit/2 - (grown - own)) / 2 // half of what the others leave
		more := min(want, share-own)
		if more < maxPayload {
			return 0
		}
		if !m.grown.CompareAndSwap(grown, grown+more) {
			continue
		}
		if !takeFrom(&m.used, more, m.limit) {
			m.grown.Add(-more)
			return 0
		}
		return more
	}
}

// give takes back what a stream was granted: its start window, what it was
// admitted with beyond, and its growth.
func (m *memory) give(start, extra, grown int64) {
	m.used.Add(-(start + extra + grown))
	m.base.Add(-extra)
	m.grown.Add(-grown)
}
