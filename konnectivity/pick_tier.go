package konnectivity

import "iter"

// tier is one way to find sessions for a destination. It yields buckets, best
// first, and is called with the picker locked. An earlier tier beats a later
// one, and an earlier bucket a later one, whatever the load.
type tier[S candidate] func(*picker[S], destination) iter.Seq[*bucket[S]]

// tierHost finds the sessions that claim the destination itself, by name or by
// address. Konnectivity calls it destHost.
func tierHost[S candidate](p *picker[S], d destination) iter.Seq[*bucket[S]] {
	if d.addr.IsValid() {
		return one(p.addrs[d.addr])
	}
	return one(p.hosts[d.name])
}

// tierCIDR finds the sessions that claim a network around the destination, the
// longest prefix first.
func tierCIDR[S candidate](p *picker[S], d destination) iter.Seq[*bucket[S]] {
	return func(yield func(*bucket[S]) bool) {
		// Addr.Prefix forgets the zone, and a zone is no part of any network.
		if !d.addr.IsValid() || d.addr.Zone() != "" {
			return
		}
		lengths := &p.lengths[family(d.addr)]
		for bits := d.addr.BitLen(); bits >= 0; bits-- {
			if lengths[bits] == 0 {
				continue
			}
			c, err := d.addr.Prefix(bits)
			if err != nil {
				return
			}
			if b := p.cidrs[c]; b != nil && !yield(b) {
				return
			}
		}
	}
}

// tierDefaultRoute finds the sessions that offer a default route.
func tierDefaultRoute[S candidate](p *picker[S], _ destination) iter.Seq[*bucket[S]] {
	return one(p.routes)
}

// tierAny finds every session, whatever it claims. Konnectivity calls it
// default. It is right only where every agent reaches everything.
func tierAny[S candidate](p *picker[S], _ destination) iter.Seq[*bucket[S]] { return one(p.all) }

// one yields b unless it is nil.
func one[S candidate](b *bucket[S]) iter.Seq[*bucket[S]] {
	return func(yield func(*bucket[S]) bool) {
		if b != nil {
			yield(b)
		}
	}
}
