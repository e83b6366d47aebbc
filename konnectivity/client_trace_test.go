package konnectivity

import (
	"errors"
	"io"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/relay"
)

func (e *events) client() *ClientTrace {
	return &ClientTrace{
		DialStart:  func(address string) { e.add("start %s", address) },
		DialDone:   func(address string, _ time.Duration, err error) { e.add("done %s %v", address, dialer.KindOf(err)) },
		ConnOpened: func(address string) { e.add("opened %s", address) },
		ConnClosed: func(address string, age time.Duration) { e.add("closed %s %v", address, age > 0) },
	}
}

// TestClientHooks: each dial and each connection is told of, once, and the conn
// that tells can what it could.
func TestClientHooks(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		leak.Check(t)
		var seen events
		want := func(when string, all ...string) {
			t.Helper()
			if got := seen.take(); !slices.Equal(got, all) {
				t.Errorf("%s: %q, want %q", when, got, all)
			}
		}
		fr := newFront(t, w.mode, w.road, func(cfg *FrontendConfig) {
			cfg.Dialer = byAddress{"no.test:1": failing(dialer.ErrRefused)}
		})
		client := fr.client(func(cfg *ClientConfig) { cfg.Trace = seen.client() })
		if _, err := client.DialContext(t.Context(), "tcp", "no.test:1"); err == nil {
			t.Fatal("a refused dial succeeded")
		}
		want("refused", "start no.test:1", "done no.test:1 refused")

		to := echo(t)
		c := dial(t, client, to)
		want("a dial", "start "+to, "done "+to+" other", "opened "+to)
		talk(t, c, "hello")
		if err := c.(dialer.CloseWriter).CloseWrite(); err != nil {
			t.Errorf("CloseWrite: %v", err)
		}
		if got, err := io.ReadAll(c); len(got) > 0 || err != nil {
			t.Errorf("after CloseWrite: %q, %v", got, err)
		}
		want("while it is open")
		c.Close()
		want("closed", "closed "+to+" true")
		c.Close()
		want("closed twice")
	})
}

// TestClientHooksKeepResets: the target of a traced conn that a relay resets sees
// a reset.
func TestClientHooksKeepResets(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		if w == (way{ModeHTTPConnect, overUnix}) {
			return // which knows no reset
		}
		leak.Check(t)
		var seen events
		address, ended, begun := readsToTheEnd(t)
		client := newFront(t, w.mode, w.road, nil).client(func(cfg *ClientConfig) { cfg.Trace = seen.client() })
		c := dial(t, client, address)
		io.WriteString(c, half)
		within(t, "the target to have it", begun)
		relay.Reset(c, io.ErrUnexpectedEOF)
		if err := within(t, "the target to see the end", ended); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the target saw %v, want a reset", err)
		}
		if n := seen.count("closed " + address + " true"); n != 1 {
			t.Errorf("told of %d closes, want 1", n)
		}
	})
}
