package grpc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

// 0 of 200 lost: bytes written before a close arrive, from either side.
func TestWriteThenCloseThroughTheTunnel(t *testing.T) {
	leak.Check(t)
	for name, mode := range modes {
		for _, size := range []int{5, 64 << 10, 1 << 20} {
			for _, up := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s,size=%d,up=%v", name, size, up), func(t *testing.T) {
					tu := loopback(t, mode)
					want := bytes.Repeat([]byte("s"), size)
					var rounds sync.WaitGroup
					for range 20 { // side by side, since a plain agent is given its time
						rounds.Go(func() {
							for i := range 10 >> (size >> 20) {
								if got, err := writeThenClose(t, tu, want, up); err != nil || !bytes.Equal(got, want) {
									t.Errorf("round %d: %d of %d bytes, %v", i, len(got), size, err)
								}
							}
						})
					}
					rounds.Wait()
				})
			}
		}
	}
}

// writeThenClose has one side write b and close, and returns what the other side
// has read.
func writeThenClose(t *testing.T, tu *tunnel, b []byte, up bool) ([]byte, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer ln.Close()
	conn, err := tu.session.Open(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	target, err := ln.Accept()
	if err != nil {
		return nil, err
	}
	defer target.Close()
	from, to := conn, target
	if !up {
		from, to = target, conn
	}
	go func() {
		from.Write(b)
		from.Close()
	}()
	return io.ReadAll(to)
}

// 8 MiB in one Write arrive.
func TestLargeWrite(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			tu := loopback(t, mode)
			want := bytes.Repeat([]byte("8 bytes "), 1<<20)
			for _, up := range []bool{true, false} {
				if got, err := writeThenClose(t, tu, want, up); err != nil || !bytes.Equal(got, want) {
					t.Errorf("up %v: %d bytes, %v", up, len(got), err)
				}
			}
		})
	}
}

// What an agent had received in full it delivers, though the tunnel is gone.
func TestLastBytesOfALostTunnel(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		tu, targets := inMemory(t, mode)
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		want := strings.Repeat("last words ", 1000)
		conn.Write([]byte(want))
		conn.Close()
		time.Sleep(time.Second)
		tu.session.Close()
		time.Sleep(time.Second)
		var got []byte
		for len(got) < len(want) {
			b := make([]byte, 1000)
			n, err := target.Read(b)
			got = append(got, b[:n]...)
			if err != nil {
				break
			}
			time.Sleep(time.Second)
		}
		if string(got) != want {
			t.Errorf("the target got %d of %d bytes", len(got), len(want))
		}
		target.Close()
		tu.stop()
	})
}

// After a Flush a Close cuts nothing off.
func TestFlushBeforeClose(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		tu, targets := inMemory(t, mode)
		var conns, ends []net.Conn
		for range 5 {
			conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
			if err != nil {
				t.Fatal(err)
			}
			conns, ends = append(conns, conn), append(ends, <-targets.conns)
		}
		for _, c := range conns {
			c.Write(make([]byte, 30_000))
			c.Close()
		}
		if err := tu.session.Flush(t.Context()); err != nil {
			t.Errorf("Flush: %v", err)
		}
		tu.session.Close()
		for _, target := range ends {
			if got, err := io.ReadAll(target); len(got) != 30_000 || err != nil {
				t.Errorf("a target got %d bytes, %v", len(got), err)
			}
			target.Close()
		}
		if err := tu.session.Flush(t.Context()); err == nil {
			t.Error("Flush of a closed session")
		}
		tu.stop()
	})
}

// A target may take its time over what was written before the close.
func TestSlowTargetAfterClose(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		tu, targets := inMemory(t, mode)
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		want := strings.Repeat("0123456789", 20_000)
		go func() {
			conn.Write([]byte(want))
			conn.Close()
		}()
		var got strings.Builder
		for range 20 {
			time.Sleep(15 * time.Second)
			got.WriteString(readString(t, target, 10_000))
		}
		if got.String() != want {
			t.Error("the target got other bytes than were sent")
		}
		if n, err := target.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("and then %d, %v", n, err)
		}
		target.Close()
		time.Sleep(time.Minute)
		if tu.session.Load() != 0 || tu.agent.Serving() != 0 {
			t.Errorf("%d and %d are open", tu.session.Load(), tu.agent.Serving())
		}
		tu.stop()
	})
}

// A Flush waits for what the agent has no room for yet, on every stream.
func TestFlushOfAStalledStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tu, targets := inMemory(t)
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		go func() {
			conn.Write(make([]byte, 300_000))
			conn.Close()
		}()
		time.Sleep(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := tu.session.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush while the target reads nothing: %v", err)
		}
		go io.Copy(io.Discard, target)
		if err := tu.session.Flush(t.Context()); err != nil {
			t.Errorf("Flush: %v", err)
		}
		tu.stop()
		target.Close()
	})
}

// A target that reads nothing does not keep a lost connection from being reset.
func TestLostTunnelBehindAStalledTarget(t *testing.T) {
	eachMode(t, func(t *testing.T, mode options) {
		tu, targets := inMemory(t, mode)
		conn, err := tu.session.Open(t.Context(), "tcp", "x:1")
		if err != nil {
			t.Fatal(err)
		}
		target := <-targets.conns
		conn.Write(make([]byte, 30_000))
		time.Sleep(time.Second)
		begin := time.Now()
		tu.stop()
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("the agent needed %v to let go", took)
		}
		conn.Close()
		target.Close()
	})
}
