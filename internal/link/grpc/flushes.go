package grpc

import (
	"context"
	"sync"

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

// await waits until every question has been answered, or its carrier has ended:
// then nothing is on its way any more.
func (f *flushes) await(ctx context.Context, questions []question) error {
	defer func() {
		for _, q := range questions {
			f.answer(q.random)
		}
	}()
	for _, q := range questions {
		select {
		case <-q.answered:
		case <-q.carrier.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
