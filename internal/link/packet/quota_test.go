package packet

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/mem"

	"github.com/sallyport/sallyport/internal/wire"
)

// transport is a stream that treats messages as gRPC does: it holds each until
// there is room for it on the road.
type transport struct {
	t     testing.TB
	ctx   context.Context
	quota int

	mu   sync.Mutex
	held []mem.BufferSlice
	size int // of those held
	most int
}

func (g *transport) Context() context.Context { return g.ctx }
func (g *transport) RecvMsg(any) error        { <-g.ctx.Done(); return g.ctx.Err() }

func (g *transport) SendMsg(m any) error {
	bufs, err := wire.Codec{}.Marshal(m)
	if err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.size >= g.quota {
		g.t.Errorf("SendMsg would block: %d bytes are held", g.size)
	}
	g.held = append(g.held, bufs)
	g.size += 5 + bufs.Len()
	g.most = max(g.most, g.size)
	return nil
}

// release sends the first message that is held, and returns its length.
func (g *transport) release() *wire.Packet {
	g.mu.Lock()
	if len(g.held) == 0 {
		g.mu.Unlock()
		return nil
	}
	bufs := g.held[0]
	g.held = g.held[1:]
	g.size -= 5 + bufs.Len()
	g.mu.Unlock()
	p, err := wire.Parse(bufs.Materialize())
	if err != nil {
		g.t.Error(err)
	}
	bufs.Free()
	return &p
}

// newTransport runs a carrier over a transport.
func newTransport(t testing.TB, quota int) (*transport, *Carrier, func()) {
	ctx, cancel := context.WithCancel(t.Context())
	g := &transport{t: t, ctx: ctx, quota: quota}
	c := New(Config{Stream: g, Extended: true, Quota: quota})
	var running sync.WaitGroup
	running.Go(func() { c.Run() })
	return g, c, func() { cancel(); running.Wait() }
}

// Nothing is sent that would block; what waits goes on as soon as gRPC holds less,
// in turn, and a deadline takes a Write back meanwhile.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const quota = 64 << 10
		g, c, stop := newTransport(t, quota)
		defer stop()
		a, _ := c.NewConn(1, nil, nil)
		b, _ := c.NewConn(2, nil, nil)
		late, _ := c.NewConn(3, nil, nil)
		wrote := make(chan int, 2)
		for _, st := range []*Conn{a, b} {
			go func() { n, _ := st.Write(make([]byte, 1<<20)); wrote <- n }()
		}
		late.SetWriteDeadline(time.Now().Add(time.Second))
		if n, err := late.Write(make([]byte, 1<<20)); n >= 1<<20 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Write: %d, %v", n, err)
		}
		c.Send(&wire.Packet{Type: wire.Ping, Random: 7})
		got := make(map[int64]int)
		before, pinged := 0, false
		for {
			synctest.Wait()
			p := g.release()
			if p == nil {
				break
			}
			if p.Type == wire.Ping {
				pinged = true
			}
			if !pinged {
				before += p.Len()
			}
			got[p.ConnectID] += p.Len()
			if apart := got[1] - got[2]; max(apart, -apart) > quota+wire.MaxData {
				t.Fatalf("one is %d bytes ahead of the other", apart)
			}
		}
		for range 2 {
			if n := <-wrote; n != 1<<20 {
				t.Errorf("a Write of 1 MiB ended with %d", n)
			}
		}
		if got[1] != 1<<20 || got[2] != 1<<20 {
			t.Errorf("%v bytes were sent", got)
		}
		if before > 2*quota {
			t.Errorf("a PING went out behind %d bytes", before)
		}
		if g.most > quota+wire.MaxData+100 {
			t.Errorf("gRPC held %d bytes", g.most)
		}
	})
}

// A Write that finds gRPC with room sends by itself: when it returns gRPC has it,
// and nobody else was needed.
func TestWriteSendsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, c, stop := newTransport(t, 64<<10)
		defer stop()
		st, _ := c.NewConn(1, nil, nil)
		st.Write([]byte("hello"))
		if len(g.held) != 1 || c.w.running {
			t.Errorf("gRPC has %d messages, somebody still sends: %v", len(g.held), c.w.running)
		}
		c.Send(&wire.Packet{Type: wire.Ping})
		if len(g.held) != 2 {
			t.Errorf("gRPC has %d messages", len(g.held))
		}
		<-c.Flush()
		if p := g.release(); p.Type != wire.Data || p.Len() != 5 {
			t.Errorf("sent %v of %d bytes", p.Type, p.Len())
		}
	})
}

// The end of the carrier wakes what waits for gRPC.
func TestQuotaAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, stop := newTransport(t, 64<<10)
		st, _ := c.NewConn(1, nil, nil)
		ended := make(chan error, 1)
		go func() { _, err := st.Write(make([]byte, 1<<20)); ended <- err }()
		synctest.Wait()
		flushed := c.Flush()
		stop()
		if err := <-ended; !isResetError(err) {
			t.Errorf("Write: %v", err)
		}
		<-flushed
	})
}
