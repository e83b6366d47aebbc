package main

import (
	"fmt"
	"io"
	"strings"
)

// columns are the roads with goals, or beside those, and their titles.
var columns = []struct{ road, title string }{
	{yamux, "yamux"},
	{grpc, "gRPC"},
	{upstreamAgent, "our server, upstream's agent"},
	{embeddedYamux, "in process, yamux"},
	{embeddedGRPC, "in process, gRPC"},
}

const notMeasured = "not measured"

// render prints the table of ratios, and one of the figures behind it.
func render(w io.Writer, r *results) {
	fmt.Fprintf(w, "Ratios to %s of the same round, medians over rounds (smallest to largest; rounds: %d), and the goals:\n\n", yardstick, len(r.rounds))
	titles := make([]string, len(columns))
	for i, c := range columns {
		titles[i] = c.title
	}
	header(w, titles)
	passed, judged := 0, 0
	for _, row := range rows() {
		cells := make([]string, len(columns))
		for i, c := range columns {
			met, ok, text := r.cell(row, c.road)
			cells[i] = text
			if ok {
				judged++
			}
			if met {
				passed++
			}
		}
		printRow(w, row.name, cells)
	}
	for _, word := range []struct{ metric, name string }{
		{"stall up", "those beside a connection stalled up are"}, {"stall down", "those beside a connection stalled down are"}, {"halfclose", "half-close"},
	} {
		cells := make([]string, len(columns))
		for i, c := range columns {
			cells[i] = r.spoken(c.road, word.metric)
		}
		printRow(w, word.name, cells)
	}
	fmt.Fprintf(w, "\n%d of %d goals met. CPU s/GiB and memory are amounts, of both processes together. Beside\n"+
		"a stalled connection the ratio is to the same connection before it. In process the\n"+
		"client is a part of the server's process, and its CPU and memory are counted too.\n"+
		"Throughput with upstream's agent is a ratio to upstream's pair.\n", passed, judged)
	r.renderFigures(w)
}

// renderFigures prints what was measured, the yardstick included.
func (r *results) renderFigures(w io.Writer) {
	roads := []string{yardstick, yamux, grpc, upstreamAgent, upstreamPair, embeddedYamux, embeddedGRPC}
	fmt.Fprintf(w, "\nThe figures, medians (smallest to largest); MB/s of 10^6 bytes, seconds of CPU per GiB,\nmicroseconds, dials a second, KiB:\n\n")
	header(w, roads)
	all := append(rows(), row{name: "goroutines per idle connection", metric: "goroutines"})
	shown := map[string]bool{}
	for _, row := range all {
		if shown[row.metric] {
			continue
		}
		shown[row.metric] = true
		cells := make([]string, len(roads))
		for i, road := range roads {
			cells[i] = notMeasured
			if s, ok := summarise(r.values(road, row.metric)); ok {
				cells[i] = s.String()
			}
		}
		printRow(w, row.name, cells)
	}
}

// cell is a road's figure in a row. met and ok are those of row.met; a figure
// that is not there meets nothing.
func (r *results) cell(w row, road string) (met, ok bool, text string) {
	base := w.base(road)
	values := r.values(road, w.metric)
	if base != "" {
		values = r.ratios(road, base, w.metric)
	}
	s, measured := summarise(values)
	if !measured {
		return false, false, notMeasured
	}
	text = s.String()
	if met, ok = w.met(road, s.median); ok {
		mark := "**miss**"
		if met {
			mark = "pass"
		}
		text += fmt.Sprintf("; %s, goal %v", mark, w.goals[road])
	}
	return met, ok, text
}

func (r *results) spoken(road, metric string) string {
	words := r.words[road][metric]
	if len(words) == 0 {
		return notMeasured
	}
	return strings.Join(words, ", ")
}

// String has as many digits as the noise leaves any sense in.
func (s summary) String() string {
	digits := 2
	if s.median >= 10 {
		digits = 1
	}
	if s.median >= 100 {
		digits = 0
	}
	if s.least == s.most {
		return fmt.Sprintf("%.*f", digits, s.median)
	}
	return fmt.Sprintf("%.*f (%.*f to %.*f)", digits, s.median, digits, s.least, digits, s.most)
}

func header(w io.Writer, titles []string) {
	printRow(w, "", titles)
	fmt.Fprintf(w, "|---|%s\n", strings.Repeat("---|", len(titles)))
}

func printRow(w io.Writer, name string, cells []string) {
	fmt.Fprintf(w, "| %s | %s |\n", name, strings.Join(cells, " | "))
}
