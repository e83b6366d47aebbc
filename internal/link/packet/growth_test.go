package packet

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/wire"
)

// A window follows the product of bandwidth and delay: it grows while its reader
// keeps up, and stays where the reader is the slow one or the trip is not known.
func TestWindowsGrow(t *testing.T) {
	const trip = 50 * time.Millisecond
	for name, c := range map[string]struct {
		rtt, reader time.Duration
		least, most int64
	}{
		"a far peer":       {trip, 0, 4 << 20, maxWindow},
		"a slow reader":    {trip, 20 * trip, 32 << 10, 32 << 10},
		"an unknown trip":  {0, 0, 32 << 10, 32 << 10},
		"memory for a few": {trip, 0, 32 << 10, 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := withWindows(c.rtt)
				if c.most == 1<<20 {
					cfg.Memory = 1 << 20
				}
				p := newPeer(t, true, cfg)
				grant, ok := p.c.Admit()
				if !ok || StartWindow+grant != firstWindow {
					t.Fatalf("admitted with %d, %v", grant, ok)
				}
				st := p.windowed(1, grant, 0)
				done := make(chan struct{})
				go func() {
					defer close(done)
					buf := make([]byte, 4<<10)
					for {
						if _, err := st.Read(buf); err != nil {
							return
						}
						time.Sleep(c.reader)
					}
				}()
				credit := StartWindow + grant
				for range 12 {
					for burst := credit; burst > 0; {
						n := min(burst, wire.MaxData)
						p.data(1, strings.Repeat("x", int(n)))
						burst, credit = burst-n, credit-n
					}
					time.Sleep(c.rtt + time.Millisecond)
					for len(p.s.in) > 0 {
						credit += p.expect(wire.Window, 1).Window
						synctest.Wait()
					}
				}
				if size := st.win.Size(); size < c.least || size > c.most {
					t.Errorf("the window is %d, want %d to %d", size, c.least, c.most)
				}
				if used := p.c.WindowMemory(); used > int64(cfg.Memory) {
					t.Errorf("%d bytes are granted of %d", used, cfg.Memory)
				}
				st.Close()
				<-done
				if used := p.c.WindowMemory(); used != 0 {
					t.Errorf("%d bytes are left of a closed connection", used)
				}
				p.stop()
			})
		})
	}
}

// However many connections stall, what they were granted stays within Memory, and
// who finds none is told so.
func TestMemoryOfWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := withWindows(0)
		cfg.Memory = 1 << 20
		p := newPeer(t, true, cfg)
		var conns []*Conn
		var sizes []int64
		for {
			grant, ok := p.c.Admit()
			if !ok {
				break
			}
			id := int64(len(conns) + 1)
			conns = append(conns, p.windowed(id, grant, 0))
			sizes = append(sizes, StartWindow+grant)
			p.data(id, strings.Repeat("x", int(StartWindow+grant)))
		}
		synctest.Wait()
		held := 0
		for _, st := range conns {
			held += st.recv.Len()
		}
		if held > cfg.Memory || held < cfg.Memory-StartWindow || p.c.WindowMemory() > int64(cfg.Memory) {
			t.Errorf("%d connections hold %d bytes, and %d are granted, of %d", len(conns), held, p.c.WindowMemory(), cfg.Memory)
		}
		if !slices.IsSortedFunc(sizes, func(a, b int64) int { return int(b - a) }) || sizes[0] != firstWindow {
			t.Errorf("first windows of %v", sizes)
		}
		conns[0].Close()
		if _, ok := p.c.Admit(); !ok {
			t.Error("no memory after a connection has ended")
		}
		p.c.Dismiss(0)
		p.stop()
	})
}
