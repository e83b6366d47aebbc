package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// The roads, as the load tool's labels have them.
const (
	yardstick     = "limit2"
	upstreamPair  = "uppair"
	yamux         = "yamux"
	grpc          = "grpc"
	upstreamAgent = "upagent"
	embeddedYamux = "inprocess-yamux"
	embeddedGRPC  = "inprocess-grpc"
)

// results holds what was measured: a number for each road, metric and round, and
// a word for some.
type results struct {
	numbers map[string]map[string]map[int]float64
	words   map[string]map[string][]string
	rounds  []int
	errors  []string
}

func newResults() *results {
	return &results{numbers: map[string]map[string]map[int]float64{}, words: map[string]map[string][]string{}}
}

func (r *results) readFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := r.read(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (r *results) read(from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if err := r.add(lines.Bytes()); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return lines.Err()
}

func (r *results) number(road, metric string, round int, value float64) {
	if r.numbers[road] == nil {
		r.numbers[road] = map[string]map[int]float64{}
	}
	if r.numbers[road][metric] == nil {
		r.numbers[road][metric] = map[int]float64{}
	}
	r.numbers[road][metric][round] = value
	if !slices.Contains(r.rounds, round) {
		r.rounds = append(r.rounds, round)
	}
}

func (r *results) word(road, metric, value string) {
	if r.words[road] == nil {
		r.words[road] = map[string][]string{}
	}
	if !slices.Contains(r.words[road][metric], value) {
		r.words[road][metric] = append(r.words[road][metric], value)
	}
}

// fail notes a measurement that had errors.
func (r *results) fail(road, meas string, round int, format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf("%s, %s, round %d: ", road, meas, round)+fmt.Sprintf(format, args...))
}

// problems are the measurements that had errors, and those that are not there in
// every round.
func (r *results) problems() []string {
	problems := slices.Clone(r.errors)
	if len(r.numbers) == 0 && len(problems) == 0 {
		problems = append(problems, "nothing was measured")
	}
	for road, metrics := range r.numbers {
		for metric, rounds := range metrics {
			blocks := road == upstreamAgent && strings.HasPrefix(metric, "stall ")
			if len(rounds) < len(r.rounds) && !blocks {
				problems = append(problems, fmt.Sprintf("%s: %s is there in %d of %d rounds", road, metric, len(rounds), len(r.rounds)))
			}
		}
	}
	slices.Sort(problems)
	return problems
}

// values are a road's numbers, one a round.
func (r *results) values(road, metric string) []float64 {
	var all []float64
	for _, round := range r.rounds {
		if v, ok := r.numbers[road][metric][round]; ok {
			all = append(all, v)
		}
	}
	return all
}

// ratios are a road's numbers as ratios to another's of the same round. Rounds
// that lack either are left out.
func (r *results) ratios(road, to, metric string) []float64 {
	var all []float64
	for _, round := range r.rounds {
		v, ok := r.numbers[road][metric][round]
		if base := r.numbers[to][metric][round]; ok && base > 0 {
			all = append(all, v/base)
		}
	}
	return all
}

// summary is the median of some numbers, and the smallest and the largest.
type summary struct{ median, least, most float64 }

// summarise returns ok false when there are none.
func summarise(values []float64) (s summary, ok bool) {
	if len(values) == 0 {
		return summary{}, false
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return summary{(sorted[(n-1)/2] + sorted[n/2]) / 2, sorted[0], sorted[n-1]}, true
}
