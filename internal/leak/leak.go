// Package leak fails a test that leaves goroutines or descriptors behind.
//
// It looks only at goroutines whose stack names this module, so what the
// runtime, net/http's idle pools or other tests keep does not disturb it, and
// it waits: a goroutine on its way out is not a leak.
package leak

import (
	"os"
	"runtime"
	"strings"
	"time"
)

// module is what marks a goroutine as ours.
const module = "github.com/sallyport/sallyport/"

// patience is how long something may take to end after a test has closed it.
const patience = 5 * time.Second

// TB is the part of testing.TB that the checks need.
type TB interface {
	Helper()
	Cleanup(func())
	Errorf(format string, args ...any)
	Failed() bool
}

// Check registers a check that runs when t and its cleanups registered later
// have ended: the goroutines of this module must be those that were there at
// the call. Do not use it in parallel tests: they see each other's goroutines.
func Check(t TB) {
	t.Helper()
	before := ids(stacks()) // one that has just been started does not name the module yet
	t.Cleanup(func() {
		if t.Failed() {
			return // the failure is the story; a leak behind it is noise
		}
		if left := wait(before); len(left) > 0 {
			t.Errorf("%d goroutines left behind, the first:\n%s", len(left), left[0])
		}
	})
}

func wait(before map[string]bool) []string {
	deadline := time.Now().Add(patience)
	for {
		var left []string
		for _, g := range Goroutines() {
			if !before[id(g)] {
				left = append(left, g)
			}
		}
		if len(left) == 0 || time.Now().After(deadline) {
			return left
		}
		time.Sleep(5 * time.Millisecond) // polling for an end, not for a moment
	}
}

// Goroutines returns the stacks of the goroutines that run this module's code,
// leaving out those of the testing package and the caller's own.
func Goroutines() []string {
	var out []string
	for i, g := range stacks() {
		if i == 0 || strings.Contains(g, "testing.tRunner(") || strings.Contains(g, "testing.(*M).Run(") {
			continue
		}
		if strings.Contains(g, module) {
			out = append(out, g)
		}
	}
	return out
}

// stacks returns those of all goroutines, the caller's own first.
func stacks() []string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			return strings.Split(string(buf[:n]), "\n\n")
		}
		buf = make([]byte, 2*len(buf))
	}
}

func ids(gs []string) map[string]bool {
	m := make(map[string]bool, len(gs))
	for _, g := range gs {
		m[id(g)] = true
	}
	return m
}

// id is "goroutine 17" of a stack's first line.
func id(g string) string {
	head, _, _ := strings.Cut(g, " [")
	return head
}

// Descriptors returns the number of open descriptors of this process, or -1
// where the system does not tell. It collects garbage first: the pipes that the
// kernel splices through belong to a pool, and are closed once it is emptied.
func Descriptors() int {
	runtime.GC()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(entries)
}
