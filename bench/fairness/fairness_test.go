package main

import (
	"os"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/bench/internal/world"
)

func TestMain(m *testing.M) {
	world.Roles(nil)
	os.Exit(m.Run())
}

// The small plan gives a row for each road and direction.
func TestSmallPlan(t *testing.T) {
	var out strings.Builder
	if err := run(&out, small); err != nil {
		t.Fatalf("%v, after\n%s", err, out.String())
	}
	for _, row := range []string{"tls | up", "tls | down", "yamux | up", "yamux | down", "grpc | up", "grpc | down", "grpc | up, at most 50"} {
		if !strings.Contains(out.String(), "\n| "+row+" | ") {
			t.Errorf("no row %q in\n%s", row, out.String())
		}
	}
	if strings.Contains(out.String(), "NaN") {
		t.Errorf("not a number:\n%s", out.String())
	}
}
