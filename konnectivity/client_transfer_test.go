package konnectivity

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

// pattern is n bytes that tell their place.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// TestClientWriteThenClose: whoever writes and closes at once has lost nothing.
func TestClientWriteThenClose(t *testing.T) {
	rounds := 200
	if testing.Short() || raceEnabled {
		rounds = 20
	}
	eachWay(t, func(t *testing.T, w way) {
		client := newFront(t, w.mode, w.road, nil).client(nil)
		for _, size := range []int{5, 64 << 10, 1 << 20} {
			want := pattern(size)
			t.Run(fmt.Sprintf("to the target, %d", size), func(t *testing.T) {
				got := make(chan []byte)
				address := target(t, func(c net.Conn) { b, _ := io.ReadAll(c); got <- b })
				for i := range rounds {
					c := dial(t, client, address)
					if n, err := c.Write(want); n != size || err != nil {
						t.Fatalf("round %d: wrote %d, %v", i, n, err)
					}
					c.Close()
					if b := <-got; !bytes.Equal(b, want) {
						t.Fatalf("round %d: %d of %d bytes arrived", i, len(b), size)
					}
				}
			})
			t.Run(fmt.Sprintf("from the target, %d", size), func(t *testing.T) {
				address := target(t, func(c net.Conn) { c.Write(want) })
				for i := range rounds {
					c := dial(t, client, address)
					if b, err := io.ReadAll(c); err != nil || !bytes.Equal(b, want) {
						t.Fatalf("round %d: %d of %d bytes arrived, %v", i, len(b), size, err)
					}
					c.Close()
				}
			})
		}
	})
}

// TestClientTargetSpeaksFirst: the first bytes of a target that does not wait are
// neither lost nor in the way of the answer.
func TestClientTargetSpeaksFirst(t *testing.T) {
	rounds := 500
	if testing.Short() || raceEnabled {
		rounds = 50
	}
	const banner = "SSH-2.0-OpenSSH_9.6\r\n"
	eachWay(t, func(t *testing.T, w way) {
		client := newFront(t, w.mode, w.road, nil).client(nil)
		address := target(t, func(c net.Conn) { io.WriteString(c, banner); io.Copy(c, c) })
		for i := range rounds {
			c := dial(t, client, address)
			got := make([]byte, len(banner))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != banner {
				t.Fatalf("round %d: %q, %v", i, got, err)
			}
			talk(t, c, "hello")
			c.Close()
		}
	})
}

// TestClientHugeWrite: one Write may be larger than any message.
func TestClientHugeWrite(t *testing.T) {
	want := pattern(8 << 20)
	eachWay(t, func(t *testing.T, w way) {
		c := dial(t, newFront(t, w.mode, w.road, nil).client(nil), echo(t))
		wrote := make(chan error, 1)
		go func() {
			n, err := c.Write(want)
			if err == nil && n != len(want) {
				err = io.ErrShortWrite
			}
			if err == nil {
				err = c.(dialer.CloseWriter).CloseWrite()
			}
			wrote <- err
		}()
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d of %d bytes came back, %v", len(got), len(want), err)
		}
		if err := <-wrote; err != nil {
			t.Errorf("the Write: %v", err)
		}
	})
}

// TestClientHalfClose: a request that ends is answered, as often as it is made.
func TestClientHalfClose(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		client := newFront(t, w.mode, w.road, nil).client(nil)
		address := target(t, func(c net.Conn) {
			b, _ := io.ReadAll(c)
			fmt.Fprintf(c, "%d bytes", len(b))
		})
		for range 50 {
			c := dial(t, client, address)
			c.Write(make([]byte, 1000))
			if err := c.(dialer.CloseWriter).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(c); err != nil || string(b) != "1000 bytes" {
				t.Fatalf("the answer is %q, %v", b, err)
			}
			c.Close()
		}
	})
}
