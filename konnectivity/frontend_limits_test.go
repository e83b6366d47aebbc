package konnectivity

import (
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// TestFrontendMaxConns: one more is refused with a reason, and room is made by
// those that end.
func TestFrontendMaxConns(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		fr := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) { cfg.MaxConns = 2 })
		address := echo(t)
		// A client of its own for each, as kube-apiserver's are.
		first := dial(t, fr.client(nil), address)
		dial(t, fr.client(nil), address)
		_, err := fr.client(nil).DialContext(t.Context(), "tcp", address)
		if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopProxy) || !strings.Contains(err.Error(), "2 connections") {
			t.Errorf("one too many: %v", err)
		}
		first.Close()
		client := fr.client(nil)
		eventually(t, "a place to be free again", func() bool {
			c, err := client.DialContext(t.Context(), "tcp", address)
			if err == nil {
				c.Close()
			}
			return err == nil
		})
	})
}

// TestFrontendSilentClients: who connects and says nothing, or too slowly, is
// dropped in time and keeps nobody out.
func TestFrontendSilentClients(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		leak.Check(t)
		fr := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) { cfg.HandshakeTimeout = 300 * time.Millisecond })
		var silent []net.Conn
		network := "tcp"
		if w.road == overUnix {
			network = "unix"
		}
		for range maxNewcomers + 20 {
			c, err := net.Dial(network, fr.address())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			silent = append(silent, c)
		}
		talk(t, dial(t, fr.client(nil), echo(t)), "hello")
		for i, c := range silent {
			c.SetDeadline(time.Now().Add(15 * time.Second))
			if _, err := io.Copy(io.Discard, c); dialer.KindOf(err) == dialer.Timeout {
				t.Fatalf("silent client %d is still connected", i)
			}
		}
	})
}

// TestFrontendSlowRequest: a request that trickles in has the time of a fast one.
func TestFrontendSlowRequest(t *testing.T) {
	for _, road := range []string{overUnix, overTLS13} {
		fr := newFront(t, ModeHTTPConnect, road, func(cfg *FrontendConfig) { cfg.HandshakeTimeout = 200 * time.Millisecond })
		c := fr.raw()
		begin := time.Now()
		var err error
		for _, b := range []byte("CONNECT node-1:1 HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 1000)) {
			if _, err = c.Write([]byte{b}); err != nil || time.Since(begin) > 10*time.Second {
				break
			}
			time.Sleep(5 * time.Millisecond) // what a slow client does
		}
		if err == nil {
			t.Errorf("%s: after %v the request is still awaited", road, time.Since(begin))
		}
	}
}
