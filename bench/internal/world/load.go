package world

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Road opens connection i to the target.
type Road func(ctx context.Context, i int) (net.Conn, error)

// dialTime bounds one dial.
const dialTime = 20 * time.Second

// dial opens connection i and makes one round trip of a byte on it.
func (r Road) dial(i int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	c, err := r(ctx, i)
	if err != nil {
		return nil, err
	}
	if err := Echo(c, make([]byte, 1)); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Open opens n connections, 16 at a time, each with a round trip of one byte. The
// caller closes them with CloseAll, those that came with an error too.
func (r Road) Open(n int) ([]net.Conn, error) {
	conns := make([]net.Conn, n)
	var next atomic.Int64
	return conns, parallel(min(n, 16), func(int) error {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			c, err := r.dial(i)
			if err != nil {
				return fmt.Errorf("connection %d of %d: %w", i, n, err)
			}
			conns[i] = c
		}
		return nil
	})
}

// CloseAll closes those that are there.
func CloseAll(conns []net.Conn) {
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
}

// Dials makes n dials one after the other, each with a round trip of one byte.
func (r Road) Dials(n int) (Times, error) {
	times := make(Times, 0, n)
	for i := range n {
		begin := time.Now()
		c, err := r.dial(i)
		if err != nil {
			return nil, err
		}
		times = append(times, time.Since(begin))
		c.Close()
	}
	return times, nil
}

// Echo sends buf and reads it back.
func Echo(c net.Conn, buf []byte) error {
	if _, err := c.Write(append(header(opEcho, len(buf)), buf...)); err != nil {
		return err
	}
	_, err := io.ReadFull(c, buf)
	return err
}

// Echoes sends n times 1 KiB and reads it back, on one connection after the other.
func Echoes(conns []net.Conn, n int) (Times, error) {
	times, buf := make(Times, 0, n), make([]byte, 1<<10)
	for i := range n {
		begin := time.Now()
		if err := Echo(conns[i%len(conns)], buf); err != nil {
			return nil, err
		}
		times = append(times, time.Since(begin))
	}
	return times, nil
}

// Down reads from every connection at once for d and returns bytes a second. Up
// writes; what counts is what the target has confirmed.
func Down(conns []net.Conn, d time.Duration) (float64, error) { return move(conns, d, fetch) }

// Up is Down in the other direction.
func Up(conns []net.Conn, d time.Duration) (float64, error) { return move(conns, d, push) }

// move moves pieces on every connection until d is over. The pieces are the
// smaller the more connections there are and the shorter d is, so that the last
// ones take no longer.
func move(conns []net.Conn, d time.Duration, one func(c net.Conn, n int, buf []byte) error) (float64, error) {
	size := min(max(int(d.Seconds()*(128<<20))/len(conns), 32<<10), 8<<20)
	room := 64 << 10
	if len(conns) > 100 {
		room = 8 << 10
	}
	var moved atomic.Int64
	begin := time.Now()
	err := parallel(len(conns), func(i int) error {
		buf := make([]byte, room)
		for time.Since(begin) < d {
			if err := one(conns[i], size, buf); err != nil {
				return err
			}
			moved.Add(int64(size))
		}
		return nil
	})
	return float64(moved.Load()) / time.Since(begin).Seconds(), err
}

// Paced is Up or Down on one connection at no more than rate bytes a second; zero
// is without a limit.
func Paced(c net.Conn, up bool, rate int, d time.Duration) (float64, error) {
	one, conns := fetch, []net.Conn{c}
	if up {
		one = push
	}
	if rate <= 0 {
		return move(conns, d, one)
	}
	const size = 256 << 10
	buf, moved, begin := make([]byte, 64<<10), 0, time.Now()
	for time.Since(begin) < d {
		if err := one(c, size, buf); err != nil {
			return 0, err
		}
		moved += size
		due := begin.Add(time.Duration(float64(moved) / float64(rate) * float64(time.Second)))
		time.Sleep(time.Until(due))
	}
	return float64(moved) / time.Since(begin).Seconds(), nil
}

func fetch(c net.Conn, n int, buf []byte) error {
	if err := Pour(c, n); err != nil {
		return err
	}
	for n > 0 {
		k, err := c.Read(buf[:min(n, len(buf))])
		if n -= k; err != nil {
			return err
		}
	}
	return nil
}

// Pour asks for n bytes and leaves it to the caller to read them.
func Pour(c net.Conn, n int) error {
	_, err := c.Write(header(opSource, n))
	return err
}

func push(c net.Conn, n int, buf []byte) error {
	if _, err := c.Write(header(opSink, n)); err != nil {
		return err
	}
	for n > 0 {
		k, err := c.Write(buf[:min(n, len(buf))])
		if n -= k; err != nil {
			return err
		}
	}
	_, err := io.ReadFull(c, buf[:1])
	return err
}

// parallel runs n workers and returns the first error.
func parallel(n int, work func(i int) error) error {
	var workers sync.WaitGroup
	failed := make(chan error, n)
	for i := range n {
		workers.Go(func() {
			if err := work(i); err != nil {
				failed <- err
			}
		})
	}
	workers.Wait()
	close(failed)
	return <-failed
}

// Times are those of many like things.
type Times []time.Duration

// At returns the q-th quantile in microseconds, 0 of none.
func (t Times) At(q float64) float64 {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	return float64(sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]) / 1e3
}
