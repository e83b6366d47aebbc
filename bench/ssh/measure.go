package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime/pprof"
	"slices"
	"sync"
	"time"
)

// result is one figure of one way in one round.
type result struct {
	way, what string
	value     float64
}

// transfers are the kinds that are measured.
var transfers = []struct {
	name  string
	what  byte
	conns int
}{
	{"down, 1 connection", wantBytes, 1},
	{"up, 1 connection", giveBytes, 1},
	{"down, 8 connections", wantBytes, 8},
	{"up, 8 connections", giveBytes, 8},
}

// The names of the figures behind the transfer's.
const (
	rate      = ": MB/s"
	clientCPU = ": CPU s/GiB, client side"
	serverCPU = ": CPU s/GiB, sshd"
	dialP50   = "dial and first byte, p50: µs"
	dialP99   = "dial and first byte, p99: µs"
)

// measure takes every figure of way once.
func measure(ctx context.Context, w *world, way way, s settings) ([]result, error) {
	var results []result
	add := func(what string, value float64) { results = append(results, result{way.name, what, value}) }
	took, err := dials(ctx, way, s.dials)
	if err != nil {
		return nil, err
	}
	add(dialP50, float64(took[len(took)/2].Nanoseconds())/1e3)
	add(dialP99, float64(took[len(took)*99/100].Nanoseconds())/1e3)
	for _, tr := range transfers {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		before := used(w, way)
		n, spent, err := transfer(ctx, way, tr.what, tr.conns, s.transfer)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", tr.name, err)
		}
		after := used(w, way)
		gib := float64(n) / (1 << 30)
		add(tr.name+rate, float64(n)/1e6/spent.Seconds())
		add(tr.name+clientCPU, (after.client-before.client).Seconds()/gib)
		add(tr.name+serverCPU, (after.server-before.server).Seconds()/gib)
	}
	return results, nil
}

// dials dials one after the other and has a byte echoed on each, for ssh -L
// accepts before it has asked anybody. It returns the times, shortest first,
// without the first dial, which may have made a client.
func dials(ctx context.Context, way way, n int) ([]time.Duration, error) {
	took := make([]time.Duration, n+1)
	for i := range took {
		begin := time.Now()
		c, err := way.dial(ctx)
		if err != nil {
			return nil, err
		}
		_, err = c.Write([]byte{wantEcho, 'x'})
		if err == nil {
			_, err = io.ReadFull(c, make([]byte, 1))
		}
		took[i] = time.Since(begin)
		if err := errors.Join(err, c.Close()); err != nil {
			return nil, err
		}
	}
	took = took[1:]
	slices.Sort(took)
	return took, nil
}

// transfer moves bytes over so many conns for so long, and returns how many the
// receiver got and how long that took.
func transfer(ctx context.Context, way way, what byte, conns int, long time.Duration) (int64, time.Duration, error) {
	open := make([]net.Conn, conns)
	for i := range open {
		c, err := way.dial(ctx)
		if err != nil {
			return 0, 0, err
		}
		defer c.Close()
		if _, err := c.Write([]byte{what}); err != nil {
			return 0, 0, err
		}
		open[i] = c
	}
	moved, errs := make([]int64, conns), make([]error, conns)
	begin := time.Now()
	until := begin.Add(long)
	var moving sync.WaitGroup
	for i, c := range open {
		moving.Go(func() {
			if what == wantBytes {
				moved[i], errs[i] = download(c, until)
			} else {
				moved[i], errs[i] = upload(c, until)
			}
		})
	}
	moving.Wait()
	spent := time.Since(begin)
	var sum int64
	for _, n := range moved {
		sum += n
	}
	return sum, spent, errors.Join(errs...)
}

func download(c net.Conn, until time.Time) (n int64, err error) {
	for chunk := make([]byte, 256<<10); time.Now().Before(until); {
		m, err := c.Read(chunk)
		n += int64(m)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// upload counts what the target says has come.
func upload(c net.Conn, until time.Time) (n int64, err error) {
	for chunk := make([]byte, 256<<10); time.Now().Before(until); {
		if _, err := c.Write(chunk); err != nil {
			return 0, err
		}
	}
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return 0, fmt.Errorf("a %T cannot close half", c)
	}
	if err := half.CloseWrite(); err != nil {
		return 0, err
	}
	var count [8]byte
	if _, err := io.ReadFull(c, count[:]); err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(count[:])), nil
}

// profile repeats the tunnel's transfers and writes where their time goes.
func profile(ctx context.Context, w *world, s settings) error {
	f, err := os.Create(s.profile)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pprof.StartCPUProfile(f); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	for _, way := range w.ways {
		if way.name != our {
			continue
		}
		for _, tr := range transfers {
			if _, _, err := transfer(ctx, way, tr.what, tr.conns, s.transfer); err != nil {
				return err
			}
		}
	}
	return nil
}
