// Command fairness measures the echo of interactive connections, alone and beside
// bulk transfers in the same tunnel, and prints a Markdown table.
//
// A hundred connections each echo 1 KiB now and then; one more carries as much as it
// can, up or down, or as much as leaves the processors some time. The two take turns, because what else a machine does comes and
// goes. The first road, tls, has no tunnel: each connection is a TLS connection of
// its own through a plain forwarder. What a bulk transfer does to the others there
// is for want of a processor, not for a queue.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/sallyport/sallyport/bench/internal/world"
	"github.com/sallyport/sallyport/konnectivity"
)

// plan is how much to measure.
type plan struct {
	interactive int
	every       time.Duration // between two echoes of a connection
	turn        time.Duration
	turns       int
	rates       []int // of the bulk transfer, bytes a second; 0 is all it can
}

var (
	full  = plan{interactive: 100, every: 50 * time.Millisecond, turn: 500 * time.Millisecond, turns: 4, rates: []int{50e6, 0}}
	small = plan{interactive: 5, every: 5 * time.Millisecond, turn: 50 * time.Millisecond, turns: 1, rates: []int{50e6, 0}}
)

func main() {
	world.Roles(nil)
	quick := flag.Bool("quick", false, "few connections and short times")
	flag.Parse()
	p := full
	if *quick {
		p = small
	}
	if err := run(os.Stdout, p); err != nil {
		fmt.Fprintf(os.Stderr, "fairness: %v\n", err)
		os.Exit(1)
	}
}

func run(w io.Writer, p plan) error {
	fmt.Fprintf(w, "| | bulk | MB/s | alone: p50 µs | p99 | beside: p50 µs | p99 | p50 ratio | p99 ratio |\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n")
	for _, kind := range []string{"tls", string(konnectivity.ProtocolYamux), string(konnectivity.ProtocolGRPC)} {
		if err := measure(w, p, kind); err != nil {
			return fmt.Errorf("%s: %w", kind, err)
		}
	}
	return nil
}

// measure brings up a road and prints a row for each direction.
func measure(w io.Writer, p plan, kind string) error {
	pki, err := world.NewPKI()
	if err != nil {
		return err
	}
	defer pki.Remove()
	target, err := world.Start("target", nil)
	if err != nil {
		return err
	}
	defer target.Stop()
	var port string
	if err := target.Ask("port", &port); err != nil {
		return err
	}
	road, stop, err := bringUp(pki, kind, port)
	if err != nil {
		return err
	}
	defer stop()
	conns, err := road.Open(p.interactive + 1)
	defer world.CloseAll(conns)
	if err != nil {
		return err
	}
	for _, rate := range p.rates {
		for _, up := range []bool{true, false} {
			r, err := takeTurns(p, conns[1:], conns[0], up, rate)
			if err != nil {
				return err
			}
			bulk := map[bool]string{true: "up", false: "down"}[up]
			if rate > 0 {
				bulk += fmt.Sprintf(", at most %d", rate/1e6)
			}
			fmt.Fprintf(w, "| %s | %s | %.0f | %s |\n", kind, bulk, r.rate/1e6, r)
		}
	}
	return nil
}

// bringUp returns the road of a kind and what ends it.
func bringUp(pki world.PKI, kind, port string) (world.Road, func(), error) {
	if kind == "tls" {
		return world.TLSRoad(pki, port)
	}
	server, err := world.NewServer(pki)
	if err != nil {
		return nil, nil, err
	}
	agents, err := world.Start("agents", world.Agents{PKI: pki, Server: server.Addr, Protocol: konnectivity.Protocol(kind), N: 1})
	if err != nil {
		server.Close()
		return nil, nil, err
	}
	stop := func() {
		agents.Stop()
		server.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := server.WaitAgents(ctx, 1); err != nil {
		stop()
		return nil, nil, err
	}
	return func(ctx context.Context, _ int) (net.Conn, error) {
		return server.DialContext(ctx, "tcp", net.JoinHostPort(world.HostOf(0), port))
	}, stop, nil
}
