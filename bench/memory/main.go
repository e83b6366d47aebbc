// Command memory measures what connections hold that nobody reads: 1,000 downloads
// through one tunnel with 50 ms of round trip that are read for a while, so that
// their windows grow, and then no more. It prints a Markdown table.
//
// The server, which is the end that receives, is alone in its process. What its
// windows hold is counted: the link is cut, and what can still be read was there.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/sallyport/sallyport/bench/internal/slowlink"
	"github.com/sallyport/sallyport/bench/internal/world"
	"github.com/sallyport/sallyport/konnectivity"
)

// oneWay is half of the round trip.
const oneWay = 25 * time.Millisecond

// sendBuffer is what a target's connection holds in the kernel. By itself it grows
// to 4 MiB, and a thousand that nobody reads take all the memory that the machine has
// for TCP: the kernel then drops what the tunnel's own connection carries. Too small
// is no better: below a segment of loopback, 64 KiB, it waits for acknowledgements
// that TCP delays.
const sendBuffer = 128 << 10

// plan is how many streams to measure and for how long each is read.
type plan struct {
	streams []int
	read    time.Duration
	silence time.Duration // how long nothing must move before all are stuck
}

var (
	full  = plan{streams: []int{1, 10, 100, 1_000}, read: 3 * time.Second, silence: time.Second}
	small = plan{streams: []int{5}, read: 200 * time.Millisecond, silence: 100 * time.Millisecond}
)

func main() {
	world.Roles(roles)
	quick := flag.Bool("quick", false, "few streams and short times")
	flag.Parse()
	p := full
	if *quick {
		p = small
	}
	if err := run(os.Stdout, p); err != nil {
		fmt.Fprintf(os.Stderr, "memory: %v\n", err)
		os.Exit(1)
	}
}

func run(w io.Writer, p plan) error {
	fmt.Fprintf(w, "| | stalled streams | MB/s before | windows hold MiB | largest MiB | smallest KiB | heap MiB | RSS MiB | a new dial ms | reset |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	var short []string
	for _, protocol := range []konnectivity.Protocol{konnectivity.ProtocolYamux, konnectivity.ProtocolGRPC} {
		for _, n := range p.streams {
			shortages := world.TCPShortages()
			h, err := measure(p, protocol, n)
			if err != nil {
				return fmt.Errorf("%s, %d streams: %w", protocol, n, err)
			}
			fmt.Fprintf(w, "| %s | %d | %.0f | %s | %s | %.0f | %s | %s | %.0f | %d |\n", protocol, n, h.rate/1e6, world.MiB(h.Total), world.MiB(h.Largest),
				float64(h.Smallest)/1024, world.MiB(h.stuck.Heap-h.idle.Heap), world.MiB(h.stuck.RSS-h.idle.RSS), float64(h.dial)/1e6, h.Lost)
			if world.TCPShortages() != shortages {
				short = append(short, fmt.Sprintf("%s with %d", protocol, n))
			}
		}
	}
	if short != nil {
		fmt.Fprintf(w, "\nThe machine's memory for TCP ran short during %s: there it shows the kernel, not the tunnel.\n", strings.Join(short, ", "))
	}
	return nil
}

// held is what a measurement found.
type held struct {
	windows
	idle, stuck world.Usage   // of the server's process, before and with the stall
	rate        float64       // bytes a second that were read before
	dial        time.Duration // a dial and an echo beside the stalled ones
}

func measure(p plan, protocol konnectivity.Protocol, n int) (h held, err error) {
	pki, err := world.NewPKI()
	if err != nil {
		return h, err
	}
	defer pki.Remove()
	target, err := world.NewTarget(sendBuffer)
	if err != nil {
		return h, err
	}
	defer target.Close()
	receiver, err := world.Start("receiver", receiverArgs{PKI: pki, Port: target.Port, Streams: n})
	if err != nil {
		return h, err
	}
	defer receiver.Stop()
	var address string
	if err := receiver.Ask("address", &address); err != nil {
		return h, err
	}
	link, err := slowlink.New(address, oneWay)
	if err != nil {
		return h, err
	}
	defer link.Close()
	agents, err := world.Start("agents", world.Agents{PKI: pki, Server: link.Addr, Protocol: protocol, N: 1})
	if err != nil {
		return h, err
	}
	defer agents.Stop()
	return h, h.stall(p, receiver, target, link)
}

// stall has the streams read and then left, and counts.
func (h *held) stall(p plan, receiver *world.Child, target *world.Target, link *slowlink.Link) (err error) {
	if err := receiver.Ask("open", &h.idle); err != nil {
		return err
	}
	var moved int64
	if err := receiver.Ask("read "+p.read.String(), &moved); err != nil {
		return err
	}
	h.rate = float64(moved) / p.read.Seconds()
	target.Settle(p.silence)
	if err := receiver.Ask("dial", &h.dial); err != nil {
		return err
	}
	target.Settle(p.silence) // what was on its way when the first silence began has arrived
	if h.stuck, err = receiver.Usage(); err != nil {
		return err
	}
	link.Cut()
	return receiver.Ask("drain", &h.windows)
}
