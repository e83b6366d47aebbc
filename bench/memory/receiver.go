package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/bench/internal/world"
)

var roles = map[string]world.Role{"receiver": receiverRole}

// windows is what the streams' windows held.
type windows struct {
	Total, Largest, Smallest int64
	Lost                     int // streams that were reset, which are not among those
}

type receiverArgs struct {
	PKI     world.PKI
	Port    string // the target's
	Streams int
}

// receiver is the server's process.
type receiver struct {
	receiverArgs
	server *world.Server
	conns  []net.Conn
}

func receiverRole(ctx context.Context, args []byte) (func(string) (any, error), error) {
	r := &receiver{}
	if err := json.Unmarshal(args, &r.receiverArgs); err != nil {
		return nil, err
	}
	var err error
	if r.server, err = world.NewServer(r.PKI); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, r.server.Close)
	return r.answer, nil
}

func (r *receiver) answer(question string) (any, error) {
	word, rest, _ := strings.Cut(question, " ")
	switch word {
	case "address":
		return r.server.Addr, nil
	case "open":
		return r.open()
	case "read":
		d, err := time.ParseDuration(rest)
		if err != nil {
			return nil, err
		}
		return r.read(d), nil
	case "usage":
		return world.ReadUsage(), nil
	case "dial":
		times, err := world.Road(r.dial).Dials(1)
		if err != nil {
			return nil, err
		}
		return times[0], nil
	case "drain":
		return r.drain(), nil
	}
	return nil, fmt.Errorf("no answer to %q", question)
}

func (r *receiver) dial(ctx context.Context, _ int) (net.Conn, error) {
	return r.server.DialContext(ctx, "tcp", net.JoinHostPort(world.HostOf(0), r.Port))
}

// open waits for the agent, opens the streams and returns what the process holds
// then.
func (r *receiver) open() (u world.Usage, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.server.WaitAgents(ctx, 1); err != nil {
		return u, err
	}
	if r.conns, err = world.Road(r.dial).Open(r.Streams); err != nil {
		return u, err
	}
	return world.ReadUsage(), nil
}

// everything is more than any stream can take.
const everything = 1 << 40

// read has every stream pour, reads all of them for d, and returns how much that
// was. Nobody reads them after that. One that is lost meanwhile shows in drain.
func (r *receiver) read(d time.Duration) int64 {
	var moved atomic.Int64
	r.each(func(c net.Conn) {
		if world.Pour(c, everything) == nil {
			n, _ := readUntil(c, time.Now().Add(d))
			moved.Add(n)
		}
	})
	return moved.Load()
}

// drain reads what is there, when the link has been cut, and counts.
func (r *receiver) drain() windows {
	var mu sync.Mutex
	w := windows{Smallest: everything}
	r.each(func(c net.Conn) {
		n, err := readUntil(c, time.Now().Add(time.Second))
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			w.Lost++
			return
		}
		w.Total += n
		w.Largest, w.Smallest = max(w.Largest, n), min(w.Smallest, n)
	})
	return w
}

// readUntil reads until the deadline and returns how much. An end before it is an
// error.
func readUntil(c net.Conn, deadline time.Time) (int64, error) {
	c.SetReadDeadline(deadline)
	n, err := io.Copy(io.Discard, struct{ io.Reader }{c})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return n, nil
	case err == nil:
		return n, io.ErrUnexpectedEOF
	}
	return n, err
}

// each does one thing with every stream at once.
func (r *receiver) each(do func(net.Conn)) {
	var all sync.WaitGroup
	for _, c := range r.conns {
		all.Go(func() { do(c) })
	}
	all.Wait()
}
