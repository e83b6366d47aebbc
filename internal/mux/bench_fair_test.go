package mux

import (
	"io"
	"slices"
	"sync"
	"testing"
	"time"
)

// echoes is streams on which somebody asks and waits for the answer, all at once.
type echoes struct {
	streams []*Stream
	far     sync.WaitGroup
}

func newEchoes(b *testing.B, p *pair, n int) *echoes {
	e := new(echoes)
	for range n {
		near, far := p.open(b)
		e.streams = append(e.streams, near)
		e.far.Go(func() { io.Copy(far, far); far.Close() })
	}
	return e
}

// ask has every stream ask rounds times and returns the 99th percentile of how
// long they waited for 1 KiB.
func (e *echoes) ask(b *testing.B, rounds int) time.Duration {
	var mu sync.Mutex
	var all []time.Duration
	var askers sync.WaitGroup
	for _, st := range e.streams {
		askers.Go(func() {
			buf, took := make([]byte, 1<<10), make([]time.Duration, rounds)
			for i := range took {
				start := time.Now()
				st.Write(buf)
				if _, err := io.ReadFull(st, buf); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(start)
			}
			mu.Lock()
			all = append(all, took...)
			mu.Unlock()
		})
	}
	askers.Wait()
	if len(all) == 0 {
		return 1
	}
	slices.Sort(all)
	return all[(len(all)-1)*99/100]
}

func (e *echoes) close() {
	for _, st := range e.streams {
		st.Close()
	}
	e.far.Wait()
}

// BenchmarkEchoBesideBulk is 100 streams that echo, alone and beside one that
// sends as fast as it can the same way. An operation is one echo of each stream,
// alone and beside.
func BenchmarkEchoBesideBulk(b *testing.B) {
	for _, c := range carriers {
		b.Run(c.name, func(b *testing.B) {
			x, y := c.pair(b)
			p := newPair(b, x, y, nil)
			e := newEchoes(b, p, 100)
			e.ask(b, 10) // the windows have grown
			b.ResetTimer()
			alone := e.ask(b, b.N)
			w, r := p.open(b)
			var bulk sync.WaitGroup
			bulk.Go(func() {
				for buf := make([]byte, 64<<10); ; {
					if _, err := w.Write(buf); err != nil {
						return
					}
				}
			})
			bulk.Go(func() { r.WriteTo(io.Discard); r.Close() })
			beside := e.ask(b, b.N)
			b.ReportMetric(float64(alone.Microseconds()), "µs-p99-alone")
			b.ReportMetric(float64(beside.Microseconds()), "µs-p99-beside")
			b.ReportMetric(float64(beside)/float64(alone), "p99-ratio")
			w.Close()
			bulk.Wait()
			e.close()
		})
	}
}
