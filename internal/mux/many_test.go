package mux

import (
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestManyAtOnce: a thousand streams that are read at the same time share the link,
// also those that began with their start window alone.
func TestManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const streams, bandwidth = 1000, 10_000_000
		a, b := delayedPair(25*time.Millisecond, bandwidth)
		p := newPair(t, a, b, nil)
		time.Sleep(time.Second)
		var moved atomic.Int64
		for range streams {
			near, far := p.open(t)
			go func() {
				piece := make([]byte, 64<<10)
				for {
					if _, err := near.Write(piece); err != nil {
						return
					}
				}
			}()
			go io.Copy(counter{&moved}, far)
		}
		time.Sleep(time.Second)
		begin := moved.Load()
		time.Sleep(2 * time.Second)
		rate := float64(moved.Load()-begin) / 2
		t.Logf("%.1f MB/s, %d KiB granted", rate/1e6, p.server.mem.Used()>>10)
		if rate < bandwidth/2 {
			t.Errorf("%.0f bytes per second of %d", rate, int(bandwidth))
		}
		p.stop()
	})
}

// counter counts bytes.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}
