package streamconn

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestReadersAllWake: one token must do for any number of readers, of both kinds.
func TestReadersAllWake(t *testing.T) {
	for name, wake := range map[string]func(b *Buffer){
		"End":      func(b *Buffer) { b.End(io.ErrUnexpectedEOF) },
		"Close":    func(b *Buffer) { b.Close() },
		"Deadline": func(b *Buffer) { b.Deadline.Set(time.Now().Add(time.Second)) },
		"data":     func(b *Buffer) { put(b, pattern(20), 20) },
		"data in a chunk being filled": func(b *Buffer) {
			put(b, pattern(20), 20)
			b.Reserve(1)
			b.End(io.EOF)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := NewBuffer()
				var wg sync.WaitGroup
				for i := range 20 {
					wg.Go(func() {
						if i%2 == 0 && name != "data" {
							b.WriteNext(io.Discard)
						} else {
							b.Read(make([]byte, 1))
						}
					})
				}
				synctest.Wait()
				wake(b)
				wg.Wait() // the bubble fails the test if one sleeps on
			})
		})
	}
}

// TestEndBehindCopy: data in a chunk being filled and the end came as one token.
// The reader that takes the data passes the end on.
func TestEndBehindCopy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBuffer()
		results := make(chan error, 2)
		for range 2 {
			go func() { _, err := b.WriteNext(io.Discard); results <- err }()
		}
		synctest.Wait()
		b.mu.Lock()
		c := newChunk(10)
		c.w, b.n, b.reserved, b.err = 5, 5, c, io.EOF
		b.push(c)
		b.mu.Unlock()
		b.signal()
		if first, second := <-results, <-results; first != nil || second != io.EOF {
			t.Errorf("%v, %v, want the data and the end", first, second)
		}
	})
}

func TestBufferDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBuffer()
		b.Deadline.Set(time.Now().Add(time.Second))
		for what, f := range map[string]func() error{
			"read":       func() error { _, err := b.Read(make([]byte, 1)); return err },
			"write next": func() error { _, err := b.WriteNext(io.Discard); return err },
		} {
			if err := f(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: %v", what, err)
			}
		}
		put(b, []byte("x"), 1)
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("past the deadline, with data: %v", err)
		}
		b.Deadline.Set(time.Time{})
		if n, err := b.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("after it was lifted: %d, %v", n, err)
		}
		b.Deadline.Set(time.Now().Add(-1))
		b.Close()
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed and past the deadline: %v", err)
		}
	})
}

// TestReadersShare: several readers together get every byte once, in whatever
// way the producer brings them.
func TestReadersShare(t *testing.T) {
	b := NewBuffer()
	const total = 1 << 20
	var mu sync.Mutex
	sums := map[byte]int{}
	count := func(p []byte) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range p {
			sums[c]++
		}
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			buf := make([]byte, 1000+i*3000)
			for {
				var n int
				var err error
				if i%2 == 0 {
					n, err = b.Read(buf)
				} else {
					var out bytes.Buffer
					n, err = b.WriteNext(&out)
					copy(buf[:min(n, len(buf))], out.Bytes())
					count(out.Bytes())
				}
				if err == io.EOF {
					return
				}
				if i%2 == 0 {
					count(buf[:n])
				}
			}
		})
	}
	data := pattern(total)
	freed := 0
	for rest, i := data, 0; len(rest) > 0; i++ {
		n := min(len(rest), 1+i*631%(20<<10))
		if i%5 == 4 {
			b.AppendOwned(rest[:n], func() { mu.Lock(); freed++; mu.Unlock() })
		} else {
			put(b, rest[:n], 1+i%n)
		}
		rest = rest[n:]
	}
	b.End(io.EOF)
	wg.Wait()
	for _, c := range data {
		sums[c]--
	}
	for c, n := range sums {
		if n != 0 {
			t.Fatalf("byte %d came %d times too often", c, n)
		}
	}
	if n, _ := chunks(b); n != 0 || freed == 0 {
		t.Errorf("%d chunks left, %d freed", n, freed)
	}
}
