package suite

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/konnectivity"
)

// Clients tests our front ends, each with each kind of agent behind it, through
// Konnectivity's client and through CONNECT requests like an apiserver's.
func Clients(t *testing.T, c Client) {
	for _, road := range roads {
		for name, attach := range agents {
			t.Run(fmt.Sprintf("%s over %s to %s", road.mode, road.network, name), func(t *testing.T) {
				way := &way{mode: road.mode, network: road.network, attach: attach, client: c}
				cases(t, map[string]func(*testing.T){
					"dial":             way.dial,
					"refused":          way.refused,
					"no agent":         way.noAgent,
					"bulk":             way.bulk,
					"write then close": way.writeThenClose,
					"read to the end":  way.readToTheEnd,
					"agent lost":       way.agentLost,
					"front end lost":   way.frontLost,
					"server lost":      way.serverLost,
					"duplicate ids":    way.duplicateIDs,
					"two servers":      way.twoServers,
				})
			})
		}
	}
	for _, road := range roads {
		t.Run(fmt.Sprintf("%s over %s to an agent of ours", road.mode, road.network), func(t *testing.T) {
			way := &way{mode: road.mode, network: road.network, client: c}
			cases(t, map[string]func(*testing.T){"denied": way.denied, "cancel": way.cancel, "drain": way.drain})
		})
	}
}

// way is from a client to an agent.
type way struct {
	mode    konnectivity.Mode
	network string
	attach  func(w *world, id string) (stop func())
	client  Client
}

// open makes a world with a front end and, unless attach is nil, an agent.
func (y *way) open(t *testing.T) (w *world, d dialer.Dialer, stopAgent func()) {
	t.Helper()
	w = newWorld(t, nil)
	if y.attach != nil {
		stopAgent = y.attach(w, "edge")
	}
	return w, w.through(w.front(y.mode, y.network), y.client), stopAgent
}

func (y *way) dial(t *testing.T) {
	_, d, _ := y.open(t)
	address := echo(t)
	for i := range 30 {
		c := dial(t, d, address)
		if err := exchange(c, fmt.Sprint("hello ", i)); err != nil {
			t.Fatal(err)
		}
		if err := hangUp(c); err != nil {
			t.Fatalf("Close: %v", err)
		}
	}
}

// fails dials and wants an error with the given words, and status in CONNECT.
func (y *way) fails(t *testing.T, d dialer.Dialer, address string, status int, words string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	begin := time.Now()
	c, err := d.DialContext(ctx, "tcp", address)
	if err == nil {
		c.Close()
		t.Fatalf("dialing %s: no error, want %q", address, words)
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("dialing %s: %v, want %q in it", address, err, words)
	}
	if y.mode == konnectivity.ModeHTTPConnect && !strings.HasPrefix(err.Error(), fmt.Sprint(status)) {
		t.Errorf("dialing %s: %v, want status %d", address, err, status)
	}
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("the error took %v", took)
	}
}

func (y *way) refused(t *testing.T) {
	_, d, _ := y.open(t)
	y.fails(t, d, closedPort(t), 502, "connection refused")
}

func (y *way) noAgent(t *testing.T) {
	none := *y
	none.attach = nil
	w, d, _ := none.open(t)
	words := "no agent"
	if y.mode == konnectivity.ModeGRPC {
		words = "No agent available" // callers of Konnectivity's client look for it
	}
	y.fails(t, d, "127.0.0.1:1", 503, words)
	stop := y.attach(w, "edge")
	if err := exchange(dial(t, d, echo(t)), "now there is one"); err != nil {
		t.Error(err)
	}
	stop()
}

func (y *way) denied(t *testing.T) {
	w, d, _ := y.open(t)
	w.agent("edge", nil)
	y.fails(t, d, "10.255.255.1:443", 403, "no rule allows it")
}

// bulk sends 20 MiB each way. Pieces are as an apiserver may write them, but
// below what Konnectivity's client can send at all, 4 MiB with the header.
func (y *way) bulk(t *testing.T) {
	_, d, _ := y.open(t)
	data, address := random(20<<20), echo(t)
	for _, size := range []int{32 << 10, 3 << 20} {
		if err := bulk(dial(t, d, address), data, size); err != nil {
			t.Errorf("in pieces of %d: %v", size, err)
		}
	}
}

// writeThenClose: what was written before a close arrives. A server gives a stock
// agent a moment before it tells it to close, so several go side by side.
func (y *way) writeThenClose(t *testing.T) {
	_, d, _ := y.open(t)
	address, got := sink(t)
	for _, tt := range []struct{ times, side, size int }{{200, 20, 5}, {200, 20, 64 << 10}, {20, 5, 1 << 20}} {
		want, lost := string(random(tt.size)), 0
		for range tt.times / tt.side {
			var ending sync.WaitGroup
			for range tt.side {
				c := dial(t, d, address)
				ending.Go(func() {
					if _, err := io.WriteString(c, want); err != nil {
						t.Errorf("Write: %v", err)
					}
					if err := hangUp(c); err != nil {
						t.Errorf("Close: %v", err)
					}
				})
			}
			for range tt.side {
				select {
				case b := <-got:
					if b != want {
						lost++
					}
				case <-time.After(patience):
					t.Fatal("the target saw no end")
				}
			}
			ending.Wait()
		}
		if lost > 0 {
			t.Errorf("%d of %d times not all of %d bytes arrived", lost, tt.times, tt.size)
		}
	}
}

// readToTheEnd: what the target wrote before it closed arrives, and then the end.
func (y *way) readToTheEnd(t *testing.T) {
	_, d, _ := y.open(t)
	for _, tt := range []struct{ times, size int }{{50, 5}, {50, 64 << 10}, {10, 1 << 20}} {
		want := string(random(tt.size))
		address := target(t, func(c net.Conn) {
			c.Read(make([]byte, 1)) // Konnectivity's client loses what comes with the answer
			io.WriteString(c, want)
		})
		for i := range tt.times {
			c := dial(t, d, address)
			err := bounded(patience, func() error {
				if _, err := c.Write([]byte{1}); err != nil {
					return err
				}
				b, err := io.ReadAll(c)
				if err == nil && string(b) != want {
					err = fmt.Errorf("%d bytes, want %d", len(b), tt.size)
				}
				return err
			})
			if err != nil {
				t.Fatalf("%d bytes, the %dth time: %v", tt.size, i+1, err)
			}
			bounded(patience, c.Close)
		}
	}
}
