package testkit

import (
	"testing"
	"time"
)

// patience bounds every wait, so that a failure is a message and not a hang.
const patience = 15 * time.Second

// Eventually polls until ok is true, for what happens on its own time.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("did not happen in time: %s", what)
		}
	}
}
