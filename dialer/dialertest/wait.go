package dialertest

import (
	"testing"
	"time"
)

// async runs f on a goroutine and sends what it returns. The channel has room,
// so the goroutine ends with f whether or not anybody still listens.
func async[T any](f func() T) <-chan T {
	ch := make(chan T, 1)
	go func() { ch <- f() }()
	return ch
}

// within returns what ch delivers, or fails t when it takes too long.
func within[T any](t testing.TB, f Fixture, what string, ch <-chan T) T {
	t.Helper()
	timer := time.NewTimer(f.patience())
	defer timer.Stop()
	select {
	case v := <-ch:
		return v
	case <-timer.C:
		t.Fatalf("waited %v for %s", f.patience(), what)
		panic("not reached")
	}
}

// quiet is for how long nothing has to happen for it to count as blocked. A
// check that guesses wrong still holds; it has only tested a little less.
const quiet = 30 * time.Millisecond

// still reports whether ch stays silent for a moment: what it stands for has
// most likely come to the place where it blocks.
func still[T any](ch <-chan T) (early T, ok bool) {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	select {
	case early = <-ch:
		return early, false
	case <-timer.C:
		return early, true
	}
}
