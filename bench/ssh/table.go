package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// table is the medians of results as Markdown, a figure a line.
func table(w *world, s settings, results []result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d processors, %s, cipher %s; medians over rounds (rounds: %d). A ratio is how much more of it there is than with "+theirs+".\n\n",
		w.tunnel.Status().ServerVersion, runtime.NumCPU(), runtime.Version(), s.cipher, s.rounds)
	fmt.Fprintf(&b, "| | %s | %s | ratio | %s alone | ratio |\n|---|--:|--:|--:|--:|--:|\n", theirs, our, plain)
	for _, what := range figures(results) {
		base, tunnel, bare := median(results, theirs, what), median(results, our, what), median(results, plain, what)
		fmt.Fprintf(&b, "| %s | %s | %s | %.2f | %s | %.2f |\n", what, number(base), number(tunnel), tunnel/base, number(bare), bare/base)
	}
	return b.String()
}

// figures returns what was measured, in the order of the first round.
func figures(results []result) []string {
	var names []string
	for _, r := range results {
		if !slices.Contains(names, r.what) {
			names = append(names, r.what)
		}
	}
	return names
}

func median(results []result, way, what string) float64 {
	var values []float64
	for _, r := range results {
		if r.way == way && r.what == what {
			values = append(values, r.value)
		}
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// number has as many digits as mean something.
func number(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.0f", v)
}
