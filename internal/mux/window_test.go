package mux

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// size returns how large st's receive window is.
func (st *Stream) size() int64 { return st.win.Size() }

// stop ends both sessions of a bubble.
func (p *pair) stop() {
	p.client.Close()
	p.server.Close()
	synctest.Wait()
}

func TestWindowGrowsToTheLink(t *testing.T) {
	const rtt = 50 * time.Millisecond
	for name, c := range map[string]struct {
		bandwidth, maxWindow, memory int
		full                         bool // the link can be filled
	}{
		"20 MB/s":               {20e6, 0, 0, true},
		"80 MB/s":               {80e6, 0, 0, true},
		"a window limit":        {80e6, 1 << 20, 0, false},
		"a memory limit":        {80e6, 0, 2 << 20, false},
		"an odd memory limit":   {80e6, 0, 100_000, false},
		"memory for one stream": {80e6, 0, minWindow, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, b := delayedPair(rtt/2, c.bandwidth)
				p := newPair(t, a, b, func(_, s *Config) { s.MaxWindow, s.Memory = c.maxWindow, c.memory })
				time.Sleep(time.Second)
				s1, s2 := p.open(t)
				total := 3 * c.bandwidth
				if !c.full {
					total = 4 << 20
				}
				go func() {
					piece := make([]byte, 1<<20)
					for left := total; left > 0; left -= len(piece) {
						s1.Write(piece[:min(left, len(piece))])
					}
					s1.CloseWrite()
				}()
				start := time.Now()
				n, err := io.Copy(watch{t, p.server}, s2)
				if n != int64(total) || err != nil {
					t.Fatalf("%d bytes, %v", n, err)
				}
				rate := float64(n) / time.Since(start).Seconds()
				bdp := int64(float64(c.bandwidth) * rtt.Seconds())
				size := s2.size()
				t.Logf("window %d KiB, product %d KiB, %.1f MB/s", size>>10, bdp>>10, rate/1e6)
				switch {
				case c.full && size < bdp:
					t.Errorf("the window stayed at %d, the link holds %d", size, bdp)
				case c.full && rate < 0.75*float64(c.bandwidth):
					t.Errorf("%.0f bytes per second of %d", rate, c.bandwidth)
				case size > int64(p.server.cfg.maxWindow()):
					t.Errorf("the window grew to %d", size)
				case c.maxWindow > 0 && size != int64(c.maxWindow):
					t.Errorf("the window is %d, want the limit %d", size, c.maxWindow)
				}
				s1.Close()
				s2.Close()
				p.stop()
				balanced(t, p.client, p.server)
			})
		})
	}
}

// watch takes bytes and sees that the session's memory stays within its limit.
type watch struct {
	t *testing.T
	s *Session
}

func (w watch) Write(p []byte) (int, error) {
	if used := w.s.mem.Used(); used > int64(w.s.cfg.memory()) {
		w.t.Errorf("%d bytes granted of %d", used, w.s.cfg.memory())
	}
	return len(p), nil
}

// TestSlowReaderDoesNotGrow: who is held back by itself gets no larger window,
// whether the peer answers pings or not.
func TestSlowReaderDoesNotGrow(t *testing.T) {
	t.Run("known round trip", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			a, b := delayedPair(25*time.Millisecond, 20e6)
			p := newPair(t, a, b, nil)
			s1, s2 := p.open(t)
			go s1.Write(make([]byte, 4<<20))
			readSlowly(t, s2, 4<<20)
			s1.Close()
			s2.Close()
			p.stop()
		})
	})
	t.Run("no answer to pings", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			accepted := make(chan *Stream, 1)
			s, far, ended := bubble(Config{Accept: func(st *Stream) { accepted <- st }, KeepAlive: -1})
			go io.Copy(io.Discard, far)
			far.Write(header{typ: typeWindow, flags: flagSYN, id: 1}.append(nil))
			st := <-accepted
			go func() {
				b := header{typ: typeData, id: 1, length: 8 << 10}.append(nil)
				for range (1 << 20) / (8 << 10) {
					time.Sleep(100 * time.Millisecond)
					far.Write(append(b, make([]byte, 8<<10)...))
				}
			}()
			readSlowly(t, st, 1<<20)
			st.Close()
			s.Close()
			<-ended
			far.Close()
		})
	})
}

func readSlowly(t *testing.T, st *Stream, total int) {
	for left := total; left > 0; left -= 8 << 10 {
		time.Sleep(100 * time.Millisecond)
		if _, err := io.ReadFull(st, make([]byte, 8<<10)); err != nil {
			t.Fatal(err)
		}
	}
	if size := st.size(); size > baseWindow {
		t.Errorf("a slow reader's window grew to %d", size)
	}
}

// TestFairness: beside a bulk transfer every small stream is served within a few
// round trips and batches, not after the bulk.
func TestFairness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bandwidth = 10_000_000
		a, b := delayedPair(5*time.Millisecond, bandwidth)
		p := newPair(t, a, b, nil)
		bulk, sink := p.open(t)
		go func() {
			for {
				if _, err := bulk.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		}()
		var received int64
		go func() { received, _ = io.Copy(io.Discard, sink) }()
		time.Sleep(time.Second) // the bulk has filled its window and the link

		const many = 100
		done := make(chan time.Duration, many)
		for range many {
			st, err := p.client.Open(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			far := <-p.accepted
			go func() { io.Copy(far, far); far.Close() }()
			go func() {
				start := time.Now()
				buf := make([]byte, 512)
				for range 10 {
					st.Write(buf)
					io.ReadFull(st, buf)
				}
				st.Close()
				done <- time.Since(start)
			}()
		}
		var worst time.Duration
		for range many {
			worst = max(worst, <-done)
		}
		// Ten echoes of 10 ms each, and each behind at most the batch under way and
		// the one with what others queued.
		batch := time.Duration(batchSize) * time.Second / bandwidth
		if limit := 10 * (10*time.Millisecond + 4*batch); worst > limit {
			t.Errorf("the slowest of %d small streams took %v, want at most %v", many, worst, limit)
		}
		bulk.Close()
		sink.Close()
		p.stop()
		if received < bandwidth/2 {
			t.Errorf("the bulk stream moved %d bytes in more than a second", received)
		}
	})
}

var _ net.Conn = (*delayed)(nil)
