package konnectivity

import (
	"context"
	"log/slog"
	"sync"

	"google.golang.org/grpc/connectivity"
)

// sessions keeps the session of a gRPC client: at most one that takes dials, and
// those before it whose connections have not ended. The first dial makes it, and
// the first dial after its end makes the next.
type sessions struct {
	life    context.Context
	connect func(ctx context.Context) (*clientSession, error)
	log     *slog.Logger

	mu      sync.Mutex
	closed  bool
	current *clientSession
	all     map[*clientSession]struct{}
	attempt *attempt
	work    sync.WaitGroup // Add only under mu while not closed, Wait only after
}

// attempt is a session being made for all dials that wait for one.
type attempt struct {
	waiters int // guarded by sessions.mu
	cancel  context.CancelFunc
	done    chan struct{} // closed when what follows is set
	session *clientSession
	err     error
}

// acquire returns the session, which release gives back. fresh says that it was
// made for this call.
func (ss *sessions) acquire(ctx context.Context) (s *clientSession, fresh bool, err error) {
	s, a, err := ss.lookup()
	if s != nil || err != nil {
		return s, false, err
	}
	select {
	case <-a.done:
	case <-ctx.Done():
	}
	ss.mu.Lock()
	defer ss.mu.Unlock()
	a.waiters--
	select {
	case <-a.done:
	default:
		if a.waiters == 0 {
			a.cancel()
			if ss.attempt == a {
				ss.attempt = nil // who comes now wants one that is not cancelled
			}
		}
		return nil, false, context.Cause(ctx)
	}
	if a.err != nil {
		return nil, false, a.err
	}
	// The attempt holds it for its waiters until all have it.
	a.session.users++
	if a.waiters == 0 {
		ss.drop(a.session)
	}
	return a.session, true, nil
}

// lookup returns the session, or the attempt to make one that the caller waits
// for.
func (ss *sessions) lookup() (*clientSession, *attempt, error) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	switch {
	case ss.closed:
		return nil, nil, ErrClientClosed
	case ss.current != nil:
		ss.current.users++
		return ss.current, nil, nil
	case ss.attempt == nil:
		ctx, cancel := context.WithCancel(ss.life)
		a := &attempt{cancel: cancel, done: make(chan struct{})}
		ss.attempt = a
		ss.work.Go(func() { ss.make(ctx, a) })
	}
	ss.attempt.waiters++
	return nil, ss.attempt, nil
}

// make makes a session for a's waiters and watches it to its end.
func (ss *sessions) make(ctx context.Context, a *attempt) {
	defer a.cancel()
	s, err := ss.connect(ctx)
	ss.mu.Lock()
	if ss.attempt == a {
		ss.attempt = nil
	}
	if err == nil && (ss.closed || a.waiters == 0) {
		s.cc.Close()
		s, err = nil, context.Canceled // nobody waits
	}
	a.session, a.err = s, err
	if s != nil {
		s.users = 1 // for the waiters, together
		ss.all[s] = struct{}{}
		ss.current = s
	}
	close(a.done)
	ss.mu.Unlock()
	if err != nil {
		return
	}
	ss.log.Info("connected")
	ss.watch(s)
	ss.log.Info("disconnected")
}

// watch retires s when its server goes or says that it will.
func (ss *sessions) watch(s *clientSession) {
	for state := s.cc.GetState(); state == connectivity.Ready; state = s.cc.GetState() {
		s.cc.WaitForStateChange(ss.life, state)
		if ss.life.Err() != nil {
			break
		}
	}
	ss.retire(s)
}

// retire has s take no more dials.
func (ss *sessions) retire(s *clientSession) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.current == s {
		ss.current = nil
	}
	if !s.retired {
		s.retired = true
		s.users++
		ss.drop(s)
	}
}

func (ss *sessions) release(s *clientSession) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	ss.drop(s)
}

// drop is release with ss.mu held.
func (ss *sessions) drop(s *clientSession) {
	s.users--
	if s.retired && s.users == 0 {
		delete(ss.all, s)
		s.cc.Close()
	}
}

// run runs f, unless the sessions are closed, for close to join.
func (ss *sessions) run(f func()) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if ss.closed {
		return false
	}
	ss.work.Go(f)
	return true
}

// close ends all sessions and joins what they run. ss.life must have ended.
func (ss *sessions) close() {
	ss.mu.Lock()
	ss.closed = true
	for s := range ss.all {
		s.cc.Close()
	}
	ss.mu.Unlock()
	ss.work.Wait()
}
