package grpc

import (
	"context"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/wire"
)

// flushes are questions on the road whose answers say that everything sent
// before them has arrived.
type flushes struct {
	mu      sync.Mutex
	waiting map[int64]chan struct{}
}

// question is one of them.
type question struct {
	carrier  *packet.Carrier
	random   int64
	answered <-chan struct{}
}

// ask sends a question of type t, PING or CLOSE_REQ. It is answered at the
// latest by forget.
func (f *flushes) ask(c *packet.Carrier, t wire.Type) question {
	random, answered := newRandom(), make(chan struct{})
	f.mu.Lock()
	if f.waiting == nil {
		f.waiting = make(map[int64]chan struct{})
	}
	f.waiting[random] = answered
	f.mu.Unlock()
	p := &wire.Packet{Type: t, Random: random}
	if t == wire.CloseReq {
		p = &wire.Packet{Type: t, ConnectID: random}
	}
	c.Send(p) // or else the carrier has ended, which answers too
	return question{c, random, answered}
}

// answer handles an answer. It reports whether there was a question.
func (f *flushes) answer(random int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	answered, ok := f.waiting[random]
	if ok {
		delete(f.waiting, random)
		close(answered)
	}
	return ok
}

// await waits until a question has been answered, or its carrier has ended: then
// nothing is on its way any more.
func (f *flushes) await(ctx context.Context, q question) error {
	defer f.answer(q.random)
	select {
	case <-q.answered:
	case <-q.carrier.Done():
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// Flush implements link.Session. What was sent has arrived when the agent has
// answered something sent behind it.
func (s *Session) Flush(ctx context.Context) error {
	// What was closed is to be closed at the agent, too.
	if err := s.poll(ctx, s.control.Graced); err != nil {
		return err
	}
	// What waits for a window has been written as little as what nobody has written
	// yet; but whoever writes it would see half of it arrive.
	if err := s.poll(ctx, s.control.Unsent()); err != nil {
		return err
	}
	// Any agent answers a CLOSE_REQ, also one for an id that it never gave.
	probe := wire.CloseReq
	if s.ours {
		probe = wire.Ping
	}
	if err := s.flushes.await(ctx, s.flushes.ask(s.control, probe)); err != nil {
		return err
	}
	select {
	case <-s.done:
		return s.lost()
	default:
		return nil
	}
}

// poll waits for as long as busy reports true.
func (s *Session) poll(ctx context.Context, busy func() bool) error {
	tick := time.NewTicker(packet.UpstreamGrace / 10)
	defer tick.Stop()
	for busy() {
		select {
		case <-tick.C:
		case <-s.done:
			return s.lost()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
