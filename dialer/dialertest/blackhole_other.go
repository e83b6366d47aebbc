//go:build !unix

package dialertest

import "testing"

// Blackhole returns a loopback address at which TCP connections hang until t
// ends. This system has no way to make one, so it skips t; set
// [Fixture.Hang] instead.
func Blackhole(t testing.TB) (address string) {
	t.Helper()
	t.Skip("no blackhole on this system")
	return ""
}
