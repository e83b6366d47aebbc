package main

import (
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sallyport/sallyport/bench/internal/world"
)

// turns is what the interactive connections saw.
type turns struct {
	alone, beside world.Times
	rate          float64 // of the bulk transfer, bytes a second
}

func (t turns) String() string {
	return fmt.Sprintf("%.0f | %.0f | %.0f | %.0f | %.2f | %.2f", t.alone.At(0.5), t.alone.At(0.99), t.beside.At(0.5), t.beside.At(0.99),
		t.beside.At(0.5)/t.alone.At(0.5), t.beside.At(0.99)/t.alone.At(0.99))
}

// takeTurns measures the interactive connections alone and beside the bulk, in
// turn.
func takeTurns(p plan, interactive []net.Conn, bulk net.Conn, up bool, rate int) (t turns, err error) {
	for range p.turns {
		alone, err := echoes(p, interactive)
		if err != nil {
			return t, err
		}
		t.alone = append(t.alone, alone...)
		var moved float64
		var failed error
		var moving sync.WaitGroup
		moving.Go(func() { moved, failed = world.Paced(bulk, up, rate, p.turn) })
		beside, err := echoes(p, interactive)
		moving.Wait()
		if err != nil {
			return t, err
		}
		if failed != nil {
			return t, failed
		}
		t.beside = append(t.beside, beside...)
		t.rate += moved / float64(p.turns)
	}
	return t, nil
}

// echoes has every connection echo every now and then for a turn, each at times of
// its own.
func echoes(p plan, conns []net.Conn) (world.Times, error) {
	var (
		all    world.Times
		failed error
		mu     sync.Mutex
		each   sync.WaitGroup
	)
	begin := time.Now()
	for i, c := range conns {
		each.Go(func() {
			first := p.every * time.Duration(i) / time.Duration(len(conns))
			own, err := paced(c, begin.Add(first), begin.Add(p.turn), p.every)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, own...)
			if err != nil {
				failed = err
			}
		})
	}
	each.Wait()
	return all, failed
}

// paced echoes on one connection at set times. One that is late takes its time from
// when it was due: the wait for the one before it is a wait, too.
func paced(c net.Conn, due, end time.Time, every time.Duration) (world.Times, error) {
	var times world.Times
	buf := make([]byte, 1<<10)
	for ; due.Before(end); due = due.Add(every) {
		time.Sleep(time.Until(due))
		begin := time.Now()
		if begin.Sub(due) > every {
			begin = due
		}
		if err := world.Echo(c, buf); err != nil {
			return nil, err
		}
		times = append(times, time.Since(begin))
	}
	return times, nil
}
