package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// result is what one check found.
type result struct {
	ok   bool
	note string // a figure, or why not
}

func pass(format string, args ...any) result { return result{true, fmt.Sprintf(format, args...)} }
func fail(format string, args ...any) result { return result{false, fmt.Sprintf(format, args...)} }

// check is one column of the table.
type check struct {
	name string
	do   func(ctx context.Context, w *world, dial dialFunc) result
}

var checks = []check{
	{"echo", checkEcho},
	{"refused", checkRefused},
	{"20 MiB up", checkUp},
	{"20 MiB down", checkDown},
	{"write, close", checkWriteClose},
	{"speaks first", checkBanner},
	{"8 MiB Write", checkBigWrite},
	{"half-close", checkHalfClose},
	{"stalled neighbour", checkStalled},
}

// with dials and gives the conn a deadline.
func with(ctx context.Context, dial dialFunc, address string, do func(net.Conn) result) result {
	c, err := dial(ctx, "tcp", address)
	if err != nil {
		return fail("%v", err)
	}
	defer c.Close()
	// Upstream's conns have no deadlines, so the end of ctx closes them.
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	return do(c)
}

func talk(c net.Conn, msg string) error {
	if _, err := io.WriteString(c, msg); err != nil {
		return err
	}
	got := make([]byte, len(msg))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != msg {
		return fmt.Errorf("echo of %q is %q", msg, got)
	}
	return nil
}

func checkEcho(ctx context.Context, w *world, dial dialFunc) result {
	return with(ctx, dial, w.targets.echo, func(c net.Conn) result {
		if err := talk(c, "hello"); err != nil {
			return fail("%v", err)
		}
		return pass("")
	})
}

// checkRefused wants an error, soon.
func checkRefused(ctx context.Context, w *world, dial dialFunc) result {
	begin := time.Now()
	c, err := dial(ctx, "tcp", w.targets.refused)
	if err == nil {
		c.Close()
		return fail("connected to a port where nobody listens")
	}
	if took := time.Since(begin); took > 3*time.Second {
		return fail("after %v", took.Round(time.Second))
	}
	if errors.Is(err, dialer.ErrRefused) {
		return pass("as refused")
	}
	return pass("")
}

func checkUp(ctx context.Context, w *world, dial dialFunc) result {
	return with(ctx, dial, w.targets.sink, func(c net.Conn) result { return send(c, bulk(), 32<<10) })
}

// send writes data in pieces and wants its checksum back.
func send(c net.Conn, data []byte, piece int) result {
	if err := binary.Write(c, binary.BigEndian, uint64(len(data))); err != nil {
		return fail("%v", err)
	}
	for rest := data; len(rest) > 0; {
		n := min(piece, len(rest))
		if _, err := c.Write(rest[:n]); err != nil {
			return fail("write: %v", err)
		}
		rest = rest[n:]
	}
	sum, want := make([]byte, sha256.Size), sha256.Sum256(data)
	if _, err := io.ReadFull(c, sum); err != nil {
		return fail("read: %v", err)
	}
	if !bytes.Equal(sum, want[:]) {
		return fail("the checksum differs")
	}
	return pass("")
}

func checkDown(ctx context.Context, w *world, dial dialFunc) result {
	return with(ctx, dial, w.targets.source, func(c net.Conn) result {
		if _, err := c.Write([]byte{1}); err != nil {
			return fail("%v", err)
		}
		got, err := io.ReadAll(c)
		if err != nil {
			return fail("%v after %d bytes", err, len(got))
		}
		if !bytes.Equal(got, bulk()) {
			return fail("%d bytes, want %d", len(got), bulkSize)
		}
		return pass("")
	})
}

// checkWriteClose writes and closes at once, several times and sizes.
func checkWriteClose(ctx context.Context, w *world, dial dialFunc) result {
	lost, rounds := 0, 0
	for _, size := range []int{5, 64 << 10, 1 << 20} {
		for range 10 {
			rounds++
			if got, err := writeClose(ctx, w, dial, size); err != nil {
				return fail("%v", err)
			} else if got != size {
				lost++
			}
		}
	}
	if lost > 0 {
		return fail("%d of %d lost", lost, rounds)
	}
	return pass("0 of %d lost", rounds)
}

func writeClose(ctx context.Context, w *world, dial dialFunc, size int) (got int, err error) {
	c, err := dial(ctx, "tcp", w.targets.collect)
	if err != nil {
		return 0, err
	}
	if _, err := c.Write(bulk()[:size]); err != nil {
		c.Close()
		return 0, err
	}
	c.Close()
	select {
	case got = <-w.targets.collected:
		return got, nil
	case <-ctx.Done():
		return 0, errors.New("the target never saw the end")
	}
}

// checkBanner dials a target that speaks first.
func checkBanner(ctx context.Context, w *world, dial dialFunc) result {
	const rounds = 50
	bad := 0
	var first error
	for range rounds {
		if err := readBanner(ctx, w, dial); err != nil {
			if bad++; first == nil {
				first = err
			}
		}
	}
	if bad > 0 {
		return fail("%d of %d failed", bad, rounds)
	}
	return pass("0 of %d failed", rounds)
}

func readBanner(ctx context.Context, w *world, dial dialFunc) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	c, err := dial(ctx, "tcp", w.targets.banner)
	if err != nil {
		return err
	}
	defer c.Close()
	heard := make(chan error, 1)
	go func() { heard <- hear(c) }()
	select {
	case err := <-heard:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hear wants the banner and then the echo.
func hear(c net.Conn) error {
	got := make([]byte, len(bannerText))
	if _, err := io.ReadFull(c, got); err != nil {
		return err
	}
	if string(got) != bannerText {
		return fmt.Errorf("got %q", got)
	}
	return talk(c, "after")
}

func checkBigWrite(ctx context.Context, w *world, dial dialFunc) result {
	return with(ctx, dial, w.targets.sink, func(c net.Conn) result { return send(c, bulk()[:8<<20], 8<<20) })
}

// checkHalfClose ends its own way and wants the answer all the same.
func checkHalfClose(ctx context.Context, w *world, dial dialFunc) result {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return with(ctx, dial, w.targets.echo, func(c net.Conn) result {
		cw, ok := c.(dialer.CloseWriter)
		if !ok {
			return fail("no CloseWrite")
		}
		if _, err := io.WriteString(c, "question"); err != nil {
			return fail("%v", err)
		}
		if err := cw.CloseWrite(); err != nil {
			return fail("%v", err)
		}
		got, err := io.ReadAll(c)
		if err != nil || string(got) != "question" {
			return fail("answer lost")
		}
		return pass("")
	})
}

// checkStalled leaves a connection unread and times its neighbour's echo.
func checkStalled(ctx context.Context, w *world, dial dialFunc) result {
	stuck, err := dial(ctx, "tcp", w.targets.source)
	if err != nil {
		return fail("%v", err)
	}
	defer stuck.Close()
	if _, err := stuck.Write([]byte{1}); err != nil {
		return fail("%v", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	var worst time.Duration
	r := with(ctx, dial, w.targets.echo, func(c net.Conn) result {
		for until := time.Now().Add(3 * time.Second); time.Now().Before(until); {
			begin := time.Now()
			if err := talk(c, "neighbour"); err != nil {
				return fail("blocked")
			}
			worst = max(worst, time.Since(begin))
		}
		return pass("")
	})
	if !r.ok {
		return r
	}
	if worst > 3*time.Second {
		return fail("%v", worst.Round(100*time.Millisecond))
	}
	return pass("at most %v", worst.Round(time.Millisecond))
}
