// Command ssh measures sshtunnel beside ssh -L and beside package ssh alone,
// through the same sshd and with the same cipher, and prints a Markdown table
// with the ratios:
//
//	cd bench && go run ./ssh
//
// It runs sshd, ssh and a target of its own on loopback, with throwaway keys,
// and needs a Linux with openssh-server and openssh-client. The ways take turns in
// each round, so that what else the machine does meets all; the table has
// the medians of the rounds. With -profile it also writes what the tunnel's own
// transfers cost on this side, for go tool pprof.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == targetMode {
		serveTarget()
		return
	}
	var s settings
	flag.IntVar(&s.rounds, "rounds", 3, "how often everything is measured")
	flag.DurationVar(&s.transfer, "transfer", time.Second, "how long each transfer takes")
	flag.IntVar(&s.dials, "dials", 300, "dials for the latency, in each round")
	flag.StringVar(&s.cipher, "cipher", ssh.CipherAES128GCM, "the cipher of both")
	flag.StringVar(&s.profile, "profile", "", "file for a CPU profile of the tunnel's transfers")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, s); err != nil {
		fmt.Fprintln(os.Stderr, "ssh:", err)
		os.Exit(1)
	}
}

// settings are what the flags say.
type settings struct {
	rounds, dials   int
	transfer        time.Duration
	cipher, profile string
}

func run(ctx context.Context, s settings) error {
	w, err := newWorld(ctx, s.cipher)
	if err != nil {
		return err
	}
	defer w.close()
	var results []result
	for range s.rounds {
		for _, way := range w.ways {
			r, err := measure(ctx, w, way, s)
			if err != nil {
				return fmt.Errorf("%s: %w", way.name, err)
			}
			results = append(results, r...)
		}
	}
	if s.profile != "" {
		if err := profile(ctx, w, s); err != nil {
			return err
		}
	}
	fmt.Print(table(w, s, results))
	return nil
}
