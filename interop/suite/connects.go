package suite

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

// connectCases tests what HTTP CONNECT adds.
func connectCases(t *testing.T) {
	for _, network := range []string{"unix", "tcp"} {
		for name, attach := range agents {
			t.Run(fmt.Sprintf("over %s to %s", network, name), func(t *testing.T) {
				y := &way{mode: konnectivity.ModeHTTPConnect, network: network, attach: attach}
				tests := map[string]func(*testing.T){"target speaks first": y.speaksFirst, "other requests": y.otherRequests}
				if name == "Konnectivity's agent" {
					tests["no half-close"] = y.noHalfClose
				} else {
					tests["half-close"] = y.halfClose
				}
				cases(t, tests)
			})
		}
	}
}

// speaksFirst: the answer comes before whatever the target says at once.
func (y *way) speaksFirst(t *testing.T) {
	_, d, _ := y.open(t)
	const banner = "SSH-2.0-test\r\n"
	address := target(t, func(c net.Conn) {
		io.WriteString(c, banner)
		io.Copy(io.Discard, c)
	})
	for i := range 500 {
		c := dial(t, d, address) // fails unless the first bytes are those of a 200
		got := make([]byte, len(banner))
		err := bounded(patience, func() error { _, err := io.ReadFull(c, got); return err })
		if err != nil || string(got) != banner {
			t.Fatalf("the %dth time the target said %q, %v", i+1, got, err)
		}
		c.Close()
	}
}

// halfClose: what the target answers to the end of a request arrives.
func (y *way) halfClose(t *testing.T) {
	_, d, _ := y.open(t)
	address := target(t, func(c net.Conn) {
		b, _ := io.ReadAll(c)
		fmt.Fprintf(c, "%d bytes", len(b))
	})
	for range 50 {
		c := dial(t, d, address)
		err := bounded(patience, func() error {
			if _, err := c.Write(make([]byte, 100_000)); err != nil {
				return err
			}
			if err := c.(dialer.CloseWriter).CloseWrite(); err != nil {
				return err
			}
			b, err := io.ReadAll(c)
			if err == nil && string(b) != "100000 bytes" {
				err = fmt.Errorf("the answer is %q", b)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// noHalfClose: Konnectivity's protocol has none, so a half-close is a close. What
// was written before it arrives all the same, and nobody waits for ever.
func (y *way) noHalfClose(t *testing.T) {
	_, d, _ := y.open(t)
	address, got := sink(t)
	for range 20 {
		c := dial(t, d, address)
		err := bounded(patience, func() error {
			if _, err := c.Write(make([]byte, 100_000)); err != nil {
				return err
			}
			if err := c.(dialer.CloseWriter).CloseWrite(); err != nil {
				return err
			}
			if n := len(<-got); n != 100_000 {
				return fmt.Errorf("%d bytes arrived, want 100000", n)
			}
			io.Copy(io.Discard, c)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
}

// otherRequests are answered and go nowhere.
func (y *way) otherRequests(t *testing.T) {
	w := newWorld(t, nil)
	f := w.front(y.mode, y.network)
	for request, status := range map[string]string{
		"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\n\r\n": "405",
		"CONNECT no-port HTTP/1.1\r\nHost: x\r\n\r\n":         "400",
		"nonsense\r\n\r\n": "400",
	} {
		c, err := f.connectTo(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		err = bounded(patience, func() error {
			if _, err := io.WriteString(c, request); err != nil {
				return err
			}
			answer, err := io.ReadAll(c)
			if err == nil && !strings.HasPrefix(string(answer), "HTTP/1.1 "+status) {
				err = fmt.Errorf("answered by %q, want %s", answer, status)
			}
			return err
		})
		c.Close()
		if err != nil {
			t.Errorf("%q: %v", request, err)
		}
	}
}
