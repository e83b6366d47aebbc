// Command table turns the load tool's results, files of JSON lines, into the table
// of BENCHMARKS.md: ratios to the yardstick of the same round, medians over rounds
// with the smallest and the largest, and whether the goals are met.
//
//	table FILE...
//
// It exits with 1 when a measurement had errors or is missing in some rounds; the
// table is printed all the same. A missed goal is no error.
package main

import (
	"fmt"
	"os"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: table FILE...")
		os.Exit(2)
	}
	results := newResults()
	for _, file := range os.Args[1:] {
		if err := results.readFile(file); err != nil {
			fmt.Fprintf(os.Stderr, "table: %v\n", err)
			os.Exit(1)
		}
	}
	render(os.Stdout, results)
	problems := results.problems()
	for _, p := range problems {
		fmt.Fprintf(os.Stderr, "table: %s\n", p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}
