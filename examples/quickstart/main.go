// Command quickstart shows Sallyport in one run: a control plane, two agents, an SSH
// server and everything they reach, on loopback addresses and with certificates and
// keys made on the spot.
//
// It goes to every class of destination by its route, shows what is refused and
// why, and replaces the authority of the kubelets while a log stream runs. The
// table it prints has a line for each check. The exit status is 0 only if every
// line came out as it should.
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"
)

// limit bounds the whole run. It takes a second; what is still waiting after
// this long waits for something that does not come.
const limit = 15 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run builds the world, performs every check in it and prints the table to out.
// It leaves nothing running and no file behind. The error says what could not be
// started, or how many checks failed.
func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	w, err := newWorld(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	var t table
	for _, c := range w.checks(ctx) {
		t.add(w.perform(ctx, c))
	}
	return t.print(out)
}
