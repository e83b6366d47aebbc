package mux

import (
	"context"
	"sync"
	"time"
)

// deadAfter is how many silent keepalive intervals end a session.
const deadAfter = 2

// stuckAfter is how long the conn may take for one batch. A peer that talks but
// does not read would otherwise look alive for ever.
const stuckAfter = 30 * time.Second

// pinger measures the round trip and notices a dead peer. One ping is under way
// at a time.
type pinger struct {
	session *Session

	mu   sync.Mutex
	seq  uint32
	sent time.Time // zero when none is under way
	last time.Time // when the last one was sent

	receipts map[uint32]chan struct{} // pings somebody waits for
}

// run pings at every interval until the session ends. Anything that arrives
// proves the peer alive; only silence after a ping counts against it.
func (p *pinger) run() {
	s := p.session
	interval := s.cfg.keepAlive()
	p.send()
	if interval < 0 {
		return
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	heard, silent := s.heard.Load(), 0
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		now := s.heard.Load()
		if now != heard {
			heard, silent = now, 0
		} else if silent++; silent >= deadAfter {
			s.end(errSilent)
			return
		}
		if s.w.writingFor() > stuckAfter {
			s.end(errStuck)
			return
		}
		p.send()
	}
}

// send sends a ping unless one is under way that may still be answered.
func (p *pinger) send() {
	p.mu.Lock()
	now := time.Now()
	if !p.sent.IsZero() && now.Sub(p.sent) < max(p.session.cfg.keepAlive(), time.Second)/2 {
		p.mu.Unlock()
		return
	}
	p.seq++
	p.sent, p.last = now, now
	h := header{typ: typePing, flags: flagSYN, length: p.seq}
	p.mu.Unlock()
	p.session.overtake(h)
}

// barrier sends a ping and waits for its pong.
func (p *pinger) barrier(ctx context.Context) error {
	got := make(chan struct{})
	p.mu.Lock()
	p.seq++
	seq := p.seq
	p.sent, p.last = time.Now(), time.Now()
	if p.receipts == nil {
		p.receipts = make(map[uint32]chan struct{})
	}
	p.receipts[seq] = got
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.receipts, seq)
		p.mu.Unlock()
	}()
	if err := p.session.overtake(header{typ: typePing, flags: flagSYN, length: seq}); err != nil {
		return err
	}
	select {
	case <-got:
		return nil
	case <-p.session.done:
		return p.session.lost()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// want asks for a fresh measurement for a window that filled up in d: the round
// trip must be about as young as the traffic it is compared with.
func (p *pinger) want(d time.Duration) {
	p.mu.Lock()
	stale := p.sent.IsZero() && time.Since(p.last) > max(8*d, 50*time.Millisecond)
	p.mu.Unlock()
	if stale {
		p.send()
	}
}

// pong takes the answer to ping seq.
func (p *pinger) pong(seq uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if got := p.receipts[seq]; got != nil {
		close(got)
		delete(p.receipts, seq)
	}
	if seq != p.seq || p.sent.IsZero() {
		return // late, or never asked for
	}
	sample := max(time.Since(p.sent), 1)
	p.sent = time.Time{}
	p.session.trip.Observe(sample)
	old := p.session.RTT()
	if old == 0 || sample < old {
		p.session.rtt.Store(int64(sample)) // a shorter trip cannot be an illusion
		return
	}
	p.session.rtt.Store(int64((7*old + sample) / 8))
}
