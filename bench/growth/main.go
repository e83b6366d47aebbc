// Command growth measures what becomes of throughput, echo, dial and memory as
// connections go from 1 to 10,000 and agents from 1 to 1,000, and prints two
// Markdown tables.
//
// The server is in this process, with the load; the agents and the target have
// one each. A size takes a few seconds. The largest takes 10,000 descriptors in
// each process.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/bench/internal/world"
	"github.com/sallyport/sallyport/konnectivity"
)

func main() {
	world.Roles(nil)
	quick := flag.Bool("quick", false, "small sizes and short times")
	conns := flag.String("conns", "", "numbers of connections, separated by commas, in place of the usual ones; 0 for none")
	agents := flag.String("agents", "", "the same for agents")
	flag.Parse()
	p := full
	if *quick {
		p = small
	}
	if err := errors.Join(replace(&p.conns, *conns), replace(&p.agents, *agents)); err != nil {
		fmt.Fprintf(os.Stderr, "growth: %v\n", err)
		os.Exit(2)
	}
	if err := run(os.Stdout, p); err != nil {
		fmt.Fprintf(os.Stderr, "growth: %v\n", err)
		os.Exit(1)
	}
}

var protocols = []konnectivity.Protocol{konnectivity.ProtocolYamux, konnectivity.ProtocolGRPC}

// perAgent is how many connections one agent gets. It is below the bound of a
// tunnel, 8,192, for dials are made on top.
const perAgent = 8000

func run(w io.Writer, p plan) error {
	fmt.Fprintf(w, "| | connections | agents | MB/s down | up | echo p50 µs | p99 | dial p50 µs | opened in s | server KiB each: heap | RSS | goroutines | agent KiB each: heap | RSS | goroutines |\n|---|%s\n", rule(14))
	for _, protocol := range protocols {
		for _, n := range p.conns {
			s, err := measure(p, size{protocol: protocol, conns: n, agents: 1 + (n-1)/perAgent})
			if err != nil {
				return fmt.Errorf("%s, %d connections: %w", protocol, n, err)
			}
			fmt.Fprintf(w, "| %s | %d | %d | %s | %.2f | %s | %s |\n", protocol, n, s.agents, s.speed(), s.opened.Seconds(),
				s.server.each(s.conns), s.agent.each(s.conns))
		}
	}
	fmt.Fprintf(w, "\n| | agents | connections | connected in s | server KiB per agent: heap | RSS | goroutines | agent KiB: heap | RSS | goroutines | MB/s down | up | echo p50 µs | p99 | dial p50 µs |\n|---|%s\n", rule(14))
	for _, protocol := range protocols {
		for _, n := range p.agents {
			s, err := measure(p, size{protocol: protocol, conns: max(p.spread, n), agents: n})
			if err != nil {
				return fmt.Errorf("%s, %d agents: %w", protocol, n, err)
			}
			fmt.Fprintf(w, "| %s | %d | %d | %.2f | %s | %s | %s |\n", protocol, n, s.conns, s.connected.Seconds(),
				s.serverIdle.each(n), s.agentIdle.each(n), s.speed())
		}
	}
	return nil
}

// replace puts the numbers of a list in place of others; an empty one leaves them.
func replace(numbers *[]int, list string) error {
	if list == "" {
		return nil
	}
	*numbers = nil
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return fmt.Errorf("%q is no number of connections or agents", text)
		}
		if n > 0 {
			*numbers = append(*numbers, n)
		}
	}
	return nil
}

func rule(columns int) string {
	var all string
	for range columns {
		all += "---:|"
	}
	return all
}
