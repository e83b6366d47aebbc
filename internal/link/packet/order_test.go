package packet

import (
	"context"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/internal/wire"
)

// gated is a stream that lets each packet out when told to, and notes its type.
type gated struct {
	ctx  context.Context
	gate chan struct{}
	mu   sync.Mutex
	sent []wire.Type
}

func (g *gated) Context() context.Context { return g.ctx }
func (g *gated) RecvMsg(any) error        { <-g.ctx.Done(); return g.ctx.Err() }
func (g *gated) SendMsg(m any) error {
	select {
	case <-g.gate:
	case <-g.ctx.Done():
		return g.ctx.Err()
	}
	bufs, err := wire.Codec{}.Marshal(m)
	if err != nil {
		return err
	}
	defer bufs.Free()
	p, err := wire.Parse(bufs.Materialize())
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sent = append(g.sent, p.Type)
	return err
}

// TestDataBehindWhatWasQueued: DATA does not overtake a packet that was queued
// before it was written.
func TestDataBehindWhatWasQueued(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	g := &gated{ctx: ctx, gate: make(chan struct{})}
	c := New(Config{Stream: g, Single: true})
	var running sync.WaitGroup
	running.Go(func() { c.Run() })
	defer func() { cancel(); running.Wait() }()
	st, err := c.NewConn(1, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	c.Send(&wire.Packet{Type: wire.Drain}) // the sender hangs in this one
	g.gate <- struct{}{}
	c.Send(&wire.Packet{Type: wire.Drain})
	c.Send(&wire.Packet{Type: wire.DialRsp, ConnectID: 1})
	running.Go(func() { st.Write([]byte("banner")) })
	for range 3 {
		g.gate <- struct{}{}
	}
	<-c.Flush()
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.sent) != 4 || g.sent[2] != wire.DialRsp || g.sent[3] != wire.Data {
		t.Errorf("sent %v", g.sent)
	}
}
