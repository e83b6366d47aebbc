package konnectivity

import (
	"cmp"
	"math/rand/v2"
	"slices"
)

// sampleSize is how many sessions of a bucket that are not draining are compared.
const sampleSize = 64

// entry is a session and the places it has in buckets.
type entry[S candidate] struct {
	session S
	ids     Identifiers // canonical, as they were when it was added
	places  []place[S]
}

type place[S candidate] struct {
	bucket *bucket[S]
	index  int // in bucket.items
}

// leave takes e out of all its buckets.
func (e *entry[S]) leave() {
	for _, pl := range e.places {
		pl.bucket.cut(pl.index)
	}
	e.places = nil
}

// bucket is a set of sessions in no order. Each session knows its index, so that
// leaving one of ten thousand takes no search.
type bucket[S candidate] struct{ items []item[S] }

type item[S candidate] struct {
	*entry[S]
	place int // in entry.places
}

func (b *bucket[S]) add(e *entry[S]) {
	b.items = append(b.items, item[S]{e, len(e.places)})
	e.places = append(e.places, place[S]{b, len(b.items) - 1})
}

// cut removes the item at i by moving the last one there.
func (b *bucket[S]) cut(i int) {
	last := len(b.items) - 1
	b.items[i] = b.items[last]
	b.items[i].places[b.items[i].place].index = i
	b.items[last] = item[S]{} // let go of the session
	b.items = b.items[:last]
}

// best adds the bucket's best sessions to c. A nil bucket has none.
//
// It walks the bucket from a random place until it has seen sampleSize sessions
// that can be picked. So it finds the least loaded in a bucket up to that size.
// In a larger one it finds the least loaded of a random stretch, which keeps the
// loads about as even as looking at all of them would, at a cost that does not
// grow: with d random choices the excess of the fullest is of the order
// log log n / log d. Looking at all would also send every concurrent dial to the
// same session before its load shows. Only draining sessions make the walk
// longer, since they do not count: none may be picked before one that is not.
func (b *bucket[S]) best(c *choice[S]) {
	if b == nil || len(b.items) == 0 {
		return
	}
	n := len(b.items)
	if c.live == nil {
		c.live = make([]S, 0, min(n, c.limit)+1) // one more is looked at than is kept
	}
	seen, start, before := 0, rand.IntN(n), len(c.live)
	enough := max(sampleSize, c.limit)
	for i := 0; i < n && seen < enough; i++ {
		s := b.items[(start+i)%n].session
		if s.draining() {
			c.addDraining(s)
			continue
		}
		seen++
		c.addLive(s, before)
	}
}

// choice collects the candidates for one dial.
type choice[S candidate] struct {
	limit int
	live  []S
	// ranks orders live from the start of the current bucket on.
	ranks    []rank
	few      [defaultCandidates + 1]rank // memory for ranks, mostly enough
	draining []S
}

// full reports whether c has as many as are wanted.
func (c *choice[S]) full() bool { return len(c.live) == c.limit }

// rank is a session's load, and a random number that decides between equals. It
// is read once: loads move while they are compared.
type rank struct {
	load int
	draw uint64
}

func (r rank) compare(o rank) int {
	return cmp.Or(cmp.Compare(r.load, o.load), cmp.Compare(r.draw, o.draw))
}

// addLive sorts s into the part of live from index from on, which belongs to the
// bucket at hand, and drops the worst beyond the limit. The list is short, so
// inserting beats a heap.
func (c *choice[S]) addLive(s S, from int) {
	r := rank{s.load(), rand.Uint64()}
	if c.full() && r.compare(c.ranks[c.limit-1]) >= 0 {
		return
	}
	if slices.Contains(c.live, s) {
		return // found by a better bucket
	}
	at, _ := slices.BinarySearchFunc(c.ranks[from:], r, rank.compare)
	c.live = slices.Insert(c.live, from+at, s)
	c.ranks = slices.Insert(c.ranks, from+at, r)
	if len(c.live) > c.limit {
		c.live, c.ranks = c.live[:c.limit], c.ranks[:c.limit]
	}
}

func (c *choice[S]) addDraining(s S) {
	if len(c.draining) < c.limit && !slices.Contains(c.draining, s) {
		c.draining = append(c.draining, s)
	}
}

// all returns the live candidates, followed by draining ones up to the limit.
func (c *choice[S]) all() []S {
	all := c.live
	for _, s := range c.draining {
		// It may have been draining in one bucket and not any more in the next.
		if len(all) < c.limit && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// bucketOf returns the bucket at key, a new one if there is none.
func bucketOf[K comparable, S candidate](m map[K]*bucket[S], key K) *bucket[S] {
	b := m[key]
	if b == nil {
		b = &bucket[S]{}
		m[key] = b
	}
	return b
}

// dropEmpty removes the bucket at key if nobody is left in it.
func dropEmpty[K comparable, S candidate](m map[K]*bucket[S], key K) bool {
	b := m[key]
	if b == nil || len(b.items) > 0 {
		return false
	}
	delete(m, key)
	return true
}
