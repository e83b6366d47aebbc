package konnectivity

import (
	"slices"
	"sync"
)

// roster is the set of an agent's live tunnels, by which its keepers decide
// whether to look for more servers.
type roster struct {
	max  int             // of servers to look for
	told func(count int) // nil-able: the number of servers wanted has changed
	more bool            // look for max whatever servers tell

	mu      sync.Mutex
	live    []*tunnel     // in the order they came up
	want    int           // as last told
	losses  int           // how many tunnels have ended or are about to
	changed chan struct{} // closed, and replaced, at every change
}

// view is what a keeper needs to know at one moment.
type view struct {
	missing bool // there are servers without a tunnel
	losses  int
	changed <-chan struct{}
}

func (r *roster) view() view {
	r.mu.Lock()
	defer r.mu.Unlock()
	connected := 0
	for _, t := range r.live {
		if !t.left {
			connected++
		}
	}
	want := min(r.want, r.max)
	if r.more {
		want = r.max
	}
	return view{missing: connected < want, losses: r.losses, changed: r.changed}
}

// enter adds t, which has just learned where it leads. When there is another
// tunnel to that server it returns that one and t stays out. One whose server is
// about to leave does not count: what comes under its id is another.
func (r *roster) enter(t *tunnel, serverID string, count int) (twin *tunnel) {
	r.mu.Lock()
	for _, other := range r.live {
		if other.serverID == serverID && !other.left {
			twin = other
			break
		}
	}
	if twin == nil {
		t.serverID = serverID
		r.live = append(r.live, t)
		twin = t
	}
	twin.count = count
	tell := r.recount()
	r.mu.Unlock()
	tell()
	if twin == t {
		return nil
	}
	return twin
}

// leave removes t. A t that never entered changes nothing.
func (r *roster) leave(t *tunnel) {
	r.mu.Lock()
	i := slices.Index(r.live, t)
	if i < 0 {
		r.mu.Unlock()
		return
	}
	r.live = slices.Delete(r.live, i, i+1)
	r.losses++
	tell := r.recount()
	r.mu.Unlock()
	tell()
}

// leaving notes that t's server is about to go: another is to be found while t's
// connections go on.
func (r *roster) leaving(t *tunnel) {
	r.mu.Lock()
	t.left = true
	r.losses++
	tell := r.recount()
	r.mu.Unlock()
	tell()
}

// recount finds the largest count that a live server has told, and returns what to
// call without the lock. Without a live server the last one stands. r.mu is held.
func (r *roster) recount() (tell func()) {
	close(r.changed)
	r.changed = make(chan struct{})
	want := 0
	for _, t := range r.live {
		if !t.left {
			want = max(want, t.count, 1)
		}
	}
	if want == 0 || want == r.want {
		return func() {}
	}
	r.want = want
	return func() {
		if r.told != nil {
			r.told(want)
		}
	}
}

// has reports whether t is live and its server is not about to leave.
func (r *roster) has(t *tunnel) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return t != nil && !t.left && slices.Contains(r.live, t)
}

// through returns k's live tunnels, in the order they came up, and whether one of
// them leads to a server that is not about to leave.
func (r *roster) through(k *keeper) (all []*tunnel, lasting bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.live {
		if t.keeper == k {
			all = append(all, t)
			lasting = lasting || !t.left
		}
	}
	return all, lasting
}
