package sshtunnel

import (
	"sync/atomic"
	"time"
)

// turn is that of one handshake.
type turn struct {
	of     *turns
	failed *atomic.Bool // of the server, by its last handshake

	// The lock of the turns guards what follows.
	begun   time.Time
	suspect bool   // it has one of the suspects' turns, too
	ending  bool   // it has given way
	over    bool   // it has been given back
	give    func() // ends the handshake; set when it lingers
}

// linger has a handshake that nobody waits for share the suspects' turns: it may go
// on, but many of them must not keep others waiting either. give ends it when another
// one wants its turn, as one may do already; it must not block.
func (l *turn) linger(give func()) bool {
	t := l.of
	t.mu.Lock()
	defer t.mu.Unlock()
	if l.over {
		return true
	}
	if !l.suspect {
		if t.suspects >= t.half {
			return false
		}
		l.suspect = true
		t.suspects++
	}
	l.give = give
	t.lingering = append(t.lingering, l)
	t.makeRoom()
	return !l.ending
}

// resume has a handshake that lingers be one that somebody waits for again. It reports
// false when that has given way meanwhile.
func (l *turn) resume() bool {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.of.unlinger(l)
	return !l.ending
}

// giveWay ends a handshake that lingers. A server that was slow is suspect from now
// on, not only from when its handshake has ended: who dials it meanwhile must not find
// it beyond suspicion. The lock of the turns is held.
func (l *turn) giveWay() {
	l.ending = true
	if time.Since(l.begun) >= slow {
		l.failed.Store(true)
	}
	l.give()
}

// done gives the turn back.
func (l *turn) done() {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	l.of.free(l)
}
