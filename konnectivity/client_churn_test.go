package konnectivity

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// TestClientChurn: dials and closes leave nothing at either end, while client and
// front end live on.
func TestClientChurn(t *testing.T) {
	cycles := int64(10_000)
	if testing.Short() || raceEnabled {
		cycles = 500
	}
	for _, w := range []way{{ModeGRPC, overUnix}, {ModeGRPC, overTLS13}, {ModeHTTPConnect, overUnix}, {ModeHTTPConnect, overTLS13}} {
		t.Run(w.String(), func(t *testing.T) {
			fr := newFront(t, w.mode, w.road, nil)
			client := fr.client(nil)
			address := echo(t)
			churn(t, client, address, cycles/20) // so that pools and sessions are there
			before := holds(t)
			churn(t, client, address, cycles)
			eventually(t, "goroutines and descriptors to return", func() bool {
				return len(leak.Goroutines()) <= before.goroutines+8 && leak.Descriptors() <= before.descriptors+8
			})
			if after := holds(t); after.heap > before.heap+8<<20 {
				t.Errorf("the heap grew from %d to %d bytes", before.heap, after.heap)
			}
			fr.f.mu.Lock()
			defer fr.f.mu.Unlock()
			if fr.f.open != 0 || fr.f.newcomers.Len() != 0 && w.mode != ModeGRPC {
				t.Errorf("%d connections and %d newcomers are left", fr.f.open, fr.f.newcomers.Len())
			}
		})
	}
}

type holding struct {
	goroutines, descriptors int
	heap                    uint64
}

func holds(t *testing.T) holding {
	t.Helper()
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return holding{len(leak.Goroutines()), leak.Descriptors(), m.HeapAlloc}
}

// churn dials, says a word and closes, n times, several at once.
func churn(t *testing.T, client *Client, address string, n int64) {
	t.Helper()
	var left atomic.Int64
	left.Store(n)
	var dialers sync.WaitGroup
	for range 8 {
		dialers.Go(func() {
			for left.Add(-1) >= 0 {
				if err := oneWord(client, address); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	dialers.Wait()
}

func oneWord(d dialer.Dialer, address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte{1}); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1))
	return err
}
