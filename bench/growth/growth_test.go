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

// The small plan gives both tables, a row for each size and protocol.
func TestSmallPlan(t *testing.T) {
	var out strings.Builder
	if err := run(&out, small); err != nil {
		t.Fatalf("%v, after\n%s", err, out.String())
	}
	rows := 0
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "| yamux |") || strings.HasPrefix(line, "| grpc |") {
			rows++
		}
		if line != "\n" && strings.Count(line, "|") != 16 {
			t.Errorf("a line with %d bars, want 16: %s", strings.Count(line, "|"), line)
		}
	}
	if want := len(protocols) * (len(small.conns) + len(small.agents)); rows != want {
		t.Errorf("%d rows, want %d:\n%s", rows, want, out.String())
	}
}

func TestNumbers(t *testing.T) {
	numbers := []int{7}
	if err := replace(&numbers, ""); err != nil || len(numbers) != 1 {
		t.Errorf("no list leaves %v, %v", numbers, err)
	}
	if err := replace(&numbers, "1,20"); err != nil || len(numbers) != 2 || numbers[1] != 20 {
		t.Errorf("1,20 gives %v, %v", numbers, err)
	}
	if err := replace(&numbers, "0"); err != nil || len(numbers) != 0 {
		t.Errorf("0 gives %v, %v", numbers, err)
	}
	for _, list := range []string{"x", "1,", "-1"} {
		if err := replace(&numbers, list); err == nil {
			t.Errorf("%q is taken", list)
		}
	}
}
