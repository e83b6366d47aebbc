package testkit

import "testing"

// Must returns v to who hands it a test, and ends that test on an error:
//
//	ln := testkit.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
func Must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
