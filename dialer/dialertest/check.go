package dialertest

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/sallyport/sallyport/internal/leak"
)

// Check is one promise of a Dialer and the way to test it.
type Check struct {
	// Name is unique among Checks and fit for a subtest.
	Name string
	// Test fails t when f's Dialer breaks the promise, and skips it when f
	// states that the protocol cannot keep it. It must run on t's goroutine.
	Test func(t testing.TB, f Fixture)
}

// Checks returns every check, in the order Run takes them. The slice is the
// caller's.
func Checks() []Check {
	checks := []Check{
		{"Addresses", addresses},
		{"Parallel", parallel},
		{"ConcurrentMethods", concurrentMethods},
		{"HalfCloseByCaller", halfCloseByCaller},
		{"HalfCloseByTarget", halfCloseByTarget},
		{"ResetByTarget", resetByTarget},
		{"CancelBeforeDial", cancelBeforeDial},
		{"DeadlineBeforeDial", deadlineBeforeDial},
		{"CancelDuringDial", cancelDuringDial},
		{"DeadlineDuringDial", deadlineDuringDial},
		{"CancelAfterDial", cancelAfterDial},
		{"DeadlineAfterDial", deadlineAfterDial},
		{"ReadDeadline", readDeadline},
		{"WriteDeadline", writeDeadline},
		{"CloseTwice", closeTwice},
		{"UseAfterClose", useAfterClose},
		{"CloseWakesRead", closeWakesRead},
		{"CloseWakesWrite", closeWakesWrite},
		{"Refused", refused},
		{"UnknownNetwork", unknownNetwork},
		{"MalformedAddress", malformedAddress},
		{"Backpressure", backpressure},
		{"StalledNeighbour", stalledNeighbour},
		{"Leftovers", leftovers},
	}
	checks = append(checks, deliveryChecks()...)
	for i, c := range checks {
		checks[i].Test = func(t testing.TB, f Fixture) {
			t.Helper()
			f.require(t)
			c.Test(t, f)
		}
	}
	return checks
}

// Run tests a Dialer. It calls newFixture for every subtest, so that a conn or
// a session which one check broke cannot disturb the next, and fails a subtest
// that leaves goroutines of this module behind after the cleanups of its t.
// Do not call it from a parallel test.
func Run(t *testing.T, newFixture func(t *testing.T) Fixture) {
	whole := false
	t.Run("Conn", func(t *testing.T) {
		leak.Check(t)
		f := newFixture(t)
		whole = f.Dialer != nil
		TestConn(t, f)
	})
	if !whole {
		return // every other check would say the same
	}
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			leak.Check(t)
			c.Test(t, newFixture(t))
		})
	}
}

// TestConn runs golang.org/x/net/nettest.TestConn on conns of f's Dialer, or
// skips t where f states that they cannot survive it.
func TestConn(t *testing.T, f Fixture) {
	f.require(t)
	if f.WriteTimeoutFatal {
		t.Skip("nettest needs conns that survive a write timeout")
	}
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1, c2 = f.Pair(t)
		stop = func() {
			c1.Close()
			c2.Close()
		}
		return c1, c2, stop, nil
	})
}
