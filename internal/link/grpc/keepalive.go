package grpc

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/window"
	"github.com/sallyport/sallyport/internal/wire"
)

// pulse pings a peer of ours over the Connect stream and measures the round
// trip.
type pulse struct {
	conn    *watched
	carrier *packet.Carrier
	every   time.Duration
	random  atomic.Int64 // of the ping that has not been answered; 0 none
	sent    atomic.Int64 // when that was, in Unix nanoseconds
	rtt     atomic.Int64
	trip    window.RTT
	mu      sync.Mutex // of ping
}

// run pings until ctx ends, and closes the connection of a peer that has not
// been heard for three intervals. ping is false for a peer that is not ours:
// gRPC pings it.
func (p *pulse) run(ctx context.Context, ping bool) {
	if p.every < 0 {
		return
	}
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		if ping {
			p.ping()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if silence := p.conn.silence(); silence > 3*p.every {
			p.conn.closeWith(fmt.Errorf("no sign of life for %v: %w", silence.Round(time.Millisecond), dialer.ErrTimeout))
			return
		}
	}
}

func (p *pulse) ping() {
	p.mu.Lock()
	defer p.mu.Unlock()
	random := newRandom() | 1
	p.sent.Store(time.Now().UnixNano())
	p.random.Store(random)
	p.carrier.Answer(&wire.Packet{Type: wire.Ping, Random: random}) // a peer that reads nothing needs no heap of them
}

// pong handles the answer to a ping.
func (p *pulse) pong(random int64) {
	if random == 0 || !p.random.CompareAndSwap(random, 0) {
		return
	}
	sample := max(time.Now().UnixNano()-p.sent.Load(), 1)
	p.trip.Observe(time.Duration(sample))
	if old := p.rtt.Load(); old > 0 && sample > old {
		sample = (7*old + sample) / 8 // a shorter trip cannot be an illusion, a longer one can
	}
	p.rtt.Store(sample)
}

// windows is what a carrier needs for windows: the round trip without queues, about
// as young as the traffic it is compared with.
func (p *pulse) windows() *packet.Windows {
	return &packet.Windows{RTT: p.trip.Min, Filled: p.refresh}
}

// refresh measures the round trip again if that was long ago, compared to took.
func (p *pulse) refresh(took time.Duration) {
	ago := time.Duration(time.Now().UnixNano() - p.sent.Load())
	underWay := p.random.Load() != 0
	if underWay && ago < time.Second || ago < max(8*took, 50*time.Millisecond) {
		return
	}
	p.ping()
}

// RTT is the round trip as it was measured, 0 when it was not.
func (p *pulse) RTT() time.Duration { return time.Duration(p.rtt.Load()) }

// keepAlive gives a configured interval its default.
func keepAlive(d time.Duration) time.Duration {
	if d == 0 {
		return 4 * time.Second
	}
	return d
}
