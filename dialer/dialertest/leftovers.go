package dialertest

import (
	"context"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// leftovers: dials that were cancelled and conns that were closed leave no
// goroutine and no descriptor, while the Dialer lives on. It sees the
// goroutines of this module only, and the descriptors of the whole process.
func leftovers(t testing.TB, f Fixture) {
	const rounds = 32
	address := f.hang(t)
	f.cancelledDial(t, address) // a Dialer may keep what its first dials set up
	f.closedPair(t)
	before := usage()
	for range rounds {
		f.cancelledDial(t, address)
		f.closedPair(t)
	}
	// One leak a round would be 32; a session replaced meanwhile is none.
	allowed := before.plus(rounds / 4)
	for limit := time.Now().Add(f.patience()); ; {
		now := usage()
		if now.within(allowed) {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("left after %d rounds: %+v; before them %+v", rounds, now, before)
		}
		time.Sleep(time.Millisecond) // polling for an end, not for a moment
	}
}

// cancelledDial starts a dial that hangs and calls it off.
func (f Fixture) cancelledDial(t testing.TB, address string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	dialing := f.startDial(ctx, f.network(), address)
	time.AfterFunc(time.Millisecond, cancel)
	closeConn(within(t, f, "a cancelled dial to return", dialing).conn)
}

// closedPair opens and closes a connection with the listener behind it.
func (f Fixture) closedPair(t testing.TB) {
	t.Helper()
	scope := &scope{TB: t}
	defer scope.end()
	f.Pair(scope)
}

// resources is what a process holds.
type resources struct{ Goroutines, Descriptors int }

func usage() resources { return resources{len(leak.Goroutines()), leak.Descriptors()} }

func (r resources) plus(n int) resources { return resources{r.Goroutines + n, r.Descriptors + n} }

func (r resources) within(limit resources) bool {
	return r.Goroutines <= limit.Goroutines && r.Descriptors <= limit.Descriptors
}

// scope is a testing.TB with cleanups that can run before the test ends.
type scope struct {
	testing.TB
	cleanups []func()
}

// Cleanup registers f for the end of the scope.
func (s *scope) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *scope) end() {
	for len(s.cleanups) > 0 {
		last := len(s.cleanups) - 1
		f := s.cleanups[last]
		s.cleanups = s.cleanups[:last]
		f()
	}
}
