// Command matrix runs every mix of Konnectivity clients, servers and agents, ours
// and upstream's, and prints what works between them as a Markdown table.
//
// It starts the four programs it is given on loopback ports, with certificates
// made on the spot, and ends those it started. It exits with 1 when a mix does
// not do what is expected of it.
//
//	go run . -server A -agent B -upstream-server C -upstream-agent D
//
// The clients are linked in: ours is konnectivity.Client, upstream's is the one
// of kube-apiserver's egress selector. For GRPC over TCP, which kube-apiserver
// refuses to configure, it is upstream's client library itself.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// cellTime bounds one mix: start, every check, and the end.
const cellTime = 5 * time.Minute

func main() {
	var p programs
	flag.StringVar(&p.ours.server, "server", "", "our konnectivity-server")
	flag.StringVar(&p.ours.agent, "agent", "", "our konnectivity-agent")
	flag.StringVar(&p.upstream.server, "upstream-server", "", "upstream's proxy-server")
	flag.StringVar(&p.upstream.agent, "upstream-agent", "", "upstream's proxy-agent")
	agentArgs := flag.String("agent-args", "", "further flags of our agent, separated by spaces")
	serverArgs := flag.String("server-args", "", "further flags of our server, separated by spaces")
	only := flag.String("only", "", "run only mixes whose name contains all of these, separated by semicolons")
	verbose := flag.Bool("v", false, "print what the programs log when a mix fails")
	flag.Parse()
	p.ours.agentArgs, p.ours.serverArgs = strings.Fields(*agentArgs), strings.Fields(*serverArgs)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ok, err := run(ctx, p, *only, *verbose)
	if err != nil {
		log.Fatal(err)
	}
	if !ok {
		os.Exit(1)
	}
}

// run runs the mixes one after the other and prints the table.
func run(ctx context.Context, p programs, only string, verbose bool) (ok bool, err error) {
	w, err := newWorld()
	if err != nil {
		return false, err
	}
	defer w.close()
	ok = true
	fmt.Println(header())
	for _, m := range mixes() {
		if !m.has(only) {
			continue
		}
		cellCtx, cancel := context.WithTimeout(ctx, cellTime)
		results, logs, err := m.run(cellCtx, w, p)
		cancel()
		if err != nil {
			return false, fmt.Errorf("%s: %w\n%s", m, err, logs)
		}
		fmt.Println(row(m, results))
		if !good(m, results) {
			ok = false
			if verbose {
				fmt.Fprintln(os.Stderr, logs)
			}
		}
	}
	return ok, ctx.Err()
}
