package konnectivity

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sallyport/sallyport/internal/backoff"
	"github.com/sallyport/sallyport/internal/link"
)

// longestSearch bounds the wait between two looks for a further server.
const longestSearch = 30 * time.Second

// keeper keeps an agent connected through one address. Behind it is one server,
// or several behind a load balancer; it makes one attempt at a time.
type keeper struct {
	agent  *Agent
	server string
	log    *slog.Logger

	lost, refused, search *backoff.Backoff // run's alone

	mu   sync.Mutex
	last TunnelInfo    // how the latest attempt or tunnel ended
	twin *tunnel       // what the latest attempt would have duplicated
	gone bool          // a tunnel was lost and that has not been waited for
	held time.Duration // how long it had lasted
}

func newKeeper(a *Agent, server string) *keeper {
	k := &keeper{agent: a, server: server, log: a.log.With("server", server)}
	k.lost, k.refused, k.search = a.cfg.backoff()
	return k
}

// run connects, serves and reconnects until ctx ends, and then drains.
func (k *keeper) run(ctx context.Context) {
	var serving sync.WaitGroup
	defer serving.Wait()
	for ctx.Err() == nil {
		now := k.agent.roster.view()
		if !k.wants(now) {
			select {
			case <-now.changed:
			case <-ctx.Done():
			}
			continue
		}
		if k.restAfterLoss(ctx) != nil {
			return
		}
		err := k.attempt(ctx, &serving)
		if ctx.Err() != nil {
			return
		}
		k.rest(ctx, err, now.losses)
	}
}

// wants reports whether to connect: nothing leads through here, nor does what
// this address leads to have a tunnel through another, or servers are missing.
func (k *keeper) wants(now view) bool {
	if now.missing {
		return true
	}
	k.mu.Lock()
	twin := k.twin
	k.mu.Unlock()
	_, lasting := k.agent.roster.through(k)
	return !lasting && !k.agent.roster.has(twin)
}

// attempt makes one tunnel and returns once it is up, or why it is not. It is
// then served on a goroutine of serving.
func (k *keeper) attempt(ctx context.Context, serving *sync.WaitGroup) error {
	t := newTunnel(k)
	ended := make(chan error, 1)
	serving.Go(func() {
		err := t.run(ctx)
		k.ended(t, err)
		ended <- err
	})
	select {
	case <-t.up:
		return nil
	case err := <-ended:
		select {
		case <-t.up:
			return nil // and lost at once, which ended has noted
		default:
			return err
		}
	}
}

// rest waits after an attempt.
func (k *keeper) rest(ctx context.Context, err error, losses int) {
	switch _, no := errors.AsType[*link.RefusedError](err); {
	case err == nil:
		k.refused.Reset()
		k.search.Reset()
	case errors.Is(err, ErrDuplicateServer):
		k.refused.Reset()
		k.restBeforeSearch(ctx, losses)
	case no:
		k.restAfter(ctx, err, k.refused.Next())
	default:
		k.refused.Reset()
		k.restAfter(ctx, err, k.lost.Next())
	}
}

func (k *keeper) restAfter(ctx context.Context, err error, wait time.Duration) {
	if live, lasting := k.agent.roster.through(k); len(live) > 0 && !lasting {
		// It was to be expected: a server that leaves takes no new tunnels.
		k.log.Info("no new tunnel while the server leaves", "err", err, "retry", wait)
	} else {
		k.log.Warn("no tunnel", "err", err, "retry", wait)
	}
	backoff.Sleep(ctx, wait)
}

// restAfterLoss waits once for each time a tunnel was lost. One that did not last
// counts as one more failure: a server that drops us at once is not hammered.
func (k *keeper) restAfterLoss(ctx context.Context) error {
	k.mu.Lock()
	gone, held := k.gone, k.held
	k.gone = false
	k.mu.Unlock()
	if !gone {
		return nil
	}
	if held > k.lost.Policy.Max {
		k.lost.Reset()
	}
	return backoff.Sleep(ctx, k.lost.Next())
}

// restBeforeSearch waits after an attempt that led to a known server. When a
// tunnel is lost meanwhile there may be something to find after all, but not for
// everybody at the same moment.
func (k *keeper) restBeforeSearch(ctx context.Context, losses int) {
	wait := k.search.Next()
	k.log.Debug("that server is connected already", "retry", wait)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		now := k.agent.roster.view()
		if now.losses != losses {
			k.search.Reset()
			backoff.Sleep(ctx, k.search.Next())
			return
		}
		select {
		case <-timer.C:
			return
		case <-now.changed:
		case <-ctx.Done():
			return
		}
	}
}

// ended notes how t ended, and tells.
func (k *keeper) ended(t *tunnel, err error) {
	info, wasUp := t.status()
	k.mu.Lock()
	if wasUp {
		k.gone, k.held = true, time.Since(info.Since)
		info.Since = time.Now()
	} else if info = k.last; info.Since.IsZero() {
		info.Since = time.Now()
	}
	info.Connected, info.RTT, info.Conns, info.Err = false, 0, 0, err
	k.last = info
	k.mu.Unlock()
	k.agent.roster.leave(t)
	tr := k.agent.cfg.Trace
	switch {
	case tr == nil:
	case wasUp && tr.TunnelDown != nil:
		tr.TunnelDown(k.server, err)
	case !wasUp && tr.ConnectFailed != nil:
		tr.ConnectFailed(k.server, err)
	}
}

// status returns the live tunnels, or how the last one ended or failed to be.
func (k *keeper) status() []TunnelInfo {
	live, _ := k.agent.roster.through(k)
	if len(live) == 0 {
		k.mu.Lock()
		defer k.mu.Unlock()
		info := k.last
		info.Server = k.server
		return []TunnelInfo{info}
	}
	infos := make([]TunnelInfo, len(live))
	for i, t := range live {
		infos[i], _ = t.status()
	}
	return infos
}
