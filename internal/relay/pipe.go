package relay

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// lingerTime is how long a conn is still read, and what it says ignored,
	// when nobody is left to hear it but its peer may still be receiving.
	lingerTime = 5 * time.Second
	// stallTime is how long a write may make no progress when the peer whose
	// bytes it delivers has gone: then nobody but us would ever give up.
	stallTime = 2 * time.Minute
	// ignoreFreely is how many bytes of a conn are ignored during lingerTime
	// before each further buffer of them costs a pause of ignorePause. That is
	// also how much later the end of such a conn may be noticed.
	ignoreFreely = 1 << 20
	ignorePause  = lingerTime / 20
)

// Result is what a [Pipe] did.
type Result struct {
	// AToB and BToA are the bytes delivered each way.
	AToB, BToA int64
	// Err is the first error of either conn; nil when both ways ended with EOF.
	Err error
}

// Pipe copies between a and b until both ways have ended, and closes both. It
// owns them from the call on: they come without deadlines, and nobody else reads
// or writes them. Closing one of them from outside resets the other and ends
// Pipe early.
//
// Pipe uses the calling goroutine, and one more where neither conn is a
// [Deliverer]. It has ended on return, and so has what a Deliverer does for it.
func Pipe(a, b net.Conn) Result { return PipeAfter(a, b, nil) }

// PipeAfter is Pipe with something to do before the first byte goes to a: ready,
// which may take its time, for it keeps only the bytes for a waiting. It is called
// once at the most. Nil is fine.
func PipeAfter(a, b net.Conn, ready func()) Result {
	p := newPipe(a, b)
	p.a.ready = ready
	unhook := p.watch()
	p.run()
	unhook()
	p.a.conn.Close()
	p.b.conn.Close()
	return Result{AToB: p.ab.n, BToA: p.ba.n, Err: p.firstErr()}
}

// pipe is the state that the two ways share.
type pipe struct {
	a, b   end
	ab, ba flow

	mu      sync.Mutex
	err     error // the first one
	aborted bool  // both conns were reset
}

func newPipe(a, b net.Conn) *pipe {
	p := &pipe{a: end{conn: a}, b: end{conn: b}}
	p.ab.init(p, &p.a, &p.b)
	p.ba.init(p, &p.b, &p.a)
	return p
}

// run has both ways copied to their end. It needs goroutines only for those whose
// source needs one to wait on.
func (p *pipe) run() {
	var others sync.WaitGroup
	defer others.Wait()
	ab, ba := p.ab.deliver(&others), p.ba.deliver(&others)
	switch {
	case !ab && !ba:
		others.Go(p.ba.run)
		p.ab.run()
	case !ab:
		p.ab.run()
	case !ba:
		p.ba.run()
	}
}

// watch asks both conns to say when their peer leaves. The returned function
// ends that; a late call does nothing but set a deadline on a closed conn.
func (p *pipe) watch() (cancel func()) {
	cancelA := p.a.onPeerStop(func() { p.peerStopped(&p.ab) })
	cancelB := p.b.onPeerStop(func() { p.peerStopped(&p.ba) })
	return func() { cancelA(); cancelB() }
}

// peerStopped notes that the peer behind f's source reads no more. What it has
// sent still goes to f's destination, which from now on has to take it steadily.
func (p *pipe) peerStopped(f *flow) {
	p.mu.Lock()
	f.src.deaf = true
	f.hurried.Store(true)
	if !f.spent {
		f.hurry()
	}
	p.mu.Unlock()
	p.settle()
}

// refused notes that f's destination takes no more bytes.
func (p *pipe) refused(f *flow, err error) {
	p.mu.Lock()
	if p.err == nil {
		p.err = err
	}
	f.dst.deaf = true
	f.spent = true
	p.mu.Unlock()
	p.settle()
}

// delivered notes that f's destination has got everything there was, its end
// included.
func (p *pipe) delivered(f *flow) {
	p.mu.Lock()
	f.spent = true
	p.mu.Unlock()
	p.settle()
}

// settle puts a bound on reading a conn that no longer serves anybody: the one
// who would hear what it says is deaf, and it has been told all there was. It is
// read a little longer, because closing at once could destroy what its peer has
// not received yet.
func (p *pipe) settle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, way := range [...]struct{ f, back *flow }{{&p.ab, &p.ba}, {&p.ba, &p.ab}} {
		src := way.f.src
		if !way.f.dst.deaf || !way.back.spent || src.lingering {
			continue
		}
		src.lingering = true
		if src.conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
			src.closed = true
			src.conn.Close()
		}
	}
}

// abort ends both ways at once because of err and lets both peers know that it
// was not in good order. Only the first call counts.
func (p *pipe) abort(err error) {
	p.mu.Lock()
	again := p.aborted
	p.aborted = true
	if p.err == nil {
		p.err = err
	}
	p.mu.Unlock()
	if again {
		return
	}
	Reset(p.a.conn, err)
	Reset(p.b.conn, err)
}

// expected reports whether err is our own doing: e was closed or given up on.
func (p *pipe) expected(e *end, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.aborted || e.closed || e.lingering && errors.Is(err, os.ErrDeadlineExceeded)
}

// isDeaf reports whether e's peer is known to take no more bytes.
func (p *pipe) isDeaf(e *end) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return e.deaf
}

// isLingering reports whether e is read for a bounded time only.
func (p *pipe) isLingering(e *end) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return e.lingering
}

// markClosed notes that e is about to be closed in good order.
func (p *pipe) markClosed(e *end) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.closed = true
}

func (p *pipe) firstErr() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}
