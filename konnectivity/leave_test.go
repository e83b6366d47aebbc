package konnectivity

import (
	"context"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/leak"
)

func TestDialsLeaveNothing(t *testing.T) { eachLink(t, testDialsLeaveNothing) }

func testDialsLeaveNothing(t *testing.T, link linkCase) {
	leak.Check(t)
	w := link.world(t, nil)
	cfg := w.agentConfig("edge", everywhere)
	cfg.Resolver = make(hangingResolver, 1000)
	cfg.Policy, _ = NewPolicy(PolicyRule{CIDRs: []string{"127.0.0.0/8"}}, PolicyRule{Names: []string{"slow.test"}})
	w.run(cfg)
	to := target(t, func(c net.Conn) { io.Copy(c, c) })
	cycle := func() {
		c, err := w.srv.DialContext(context.Background(), "tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	idle := func() bool { return w.busy() == "" }
	for range 20 {
		cycle() // what is allocated once is there before the count
	}
	eventually(t, "idle", idle)
	goroutines, descriptors := len(leak.Goroutines()), leak.Descriptors()

	each(8, 2000, cycle)
	each(8, 500, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		if c, err := w.srv.DialContext(ctx, "tcp", "slow.test:80"); err == nil {
			c.Close()
			t.Error("a dial to nowhere succeeded")
		}
	})
	eventually(t, "idle", idle)
	eventually(t, "goroutines back", func() bool { return len(leak.Goroutines()) <= goroutines })
	eventually(t, "descriptors back", func() bool { return leak.Descriptors() <= descriptors })
}

// each calls f n times from several goroutines.
func each(workers, n int, f func()) {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				f()
			}
		})
	}
	wg.Wait()
}
