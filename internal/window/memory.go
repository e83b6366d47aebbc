package window

import "sync/atomic"

// Memory counts the windows granted by one session against its limit. The zero
// value grants nothing; see Init.
type Memory struct {
	limit int64
	used  atomic.Int64 // everything granted
	base  atomic.Int64 // of it, first windows
	grown atomic.Int64 // of it, growth
}

// Init sets the limit, in bytes. It comes before any other call.
func (m *Memory) Init(limit int64) { m.limit = limit }

// Limit returns what Init was given.
func (m *Memory) Limit() int64 { return m.limit }

// Used returns the bytes granted at the moment, at most the limit.
func (m *Memory) Used() int64 { return m.used.Load() }

// Grown returns how many of them are growth.
func (m *Memory) Grown() int64 { return m.grown.Load() }

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

// Admit takes memory for a new stream: start bytes, which it has in any case, and
// as long as first windows are to be had extra ones, up to base altogether. ok is
// false when there is no memory for even the start. Whoever is admitted passes
// both on to [Window.Init], whose Close gives them back, or calls Return.
func (m *Memory) Admit(start, base int64) (extra int64, ok bool) {
	if !takeFrom(&m.used, start, m.limit) {
		return 0, false
	}
	extra = base - start
	if extra <= 0 || !takeFrom(&m.base, extra, m.limit/8) {
		return 0, true
	}
	if !takeFrom(&m.used, extra, m.limit) {
		m.base.Add(-extra)
		return 0, true
	}
	return extra, true
}

// Return gives back what Admit took, for a stream that did not come about.
func (m *Memory) Return(start, extra int64) { m.give(start, extra, 0) }

// worthwhile is how much a stream's share must leave for it to grow, if it wants as
// much: dust is not worth having.
const worthwhile = 16 << 10

// grow grants up to want bytes more to a stream that keeps up and has grown by own
// already, and returns how many. A negative number is how many it should give up
// because others have grown since.
func (m *Memory) grow(want, own int64) int64 {
	for {
		grown := m.grown.Load()
		spare := (m.limit/8*5-(grown-own))/2 - own // half of what the others leave
		if spare <= -worthwhile {
			return spare
		}
		if want <= 0 || spare < min(want, worthwhile) {
			return 0
		}
		more := min(want, spare)
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

// shrink takes back n bytes of growth.
func (m *Memory) shrink(n int64) {
	m.used.Add(-n)
	m.grown.Add(-n)
}

// give takes back what a stream was granted.
func (m *Memory) give(start, extra, grown int64) {
	m.used.Add(-(start + extra + grown))
	m.base.Add(-extra)
	m.grown.Add(-grown)
}
