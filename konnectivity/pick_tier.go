package konnectivity

// tier is one way to find sessions for a destination. It adds those of buckets to
// the choice, the best bucket first, until that is full, and is called with the
// picker locked. An earlier tier beats a later one, and an earlier bucket a later
// one, whatever the load.
type tier[S candidate] func(*picker[S], destination, *choice[S])

// tierHost finds the sessions that claim the destination itself, by name or by
// address. Konnectivity calls it destHost.
func tierHost[S candidate](p *picker[S], d destination, c *choice[S]) {
	if d.addr.IsValid() {
		p.addrs[d.addr].best(c)
	} else {
		p.hosts[d.name].best(c)
	}
}

// tierCIDR finds the sessions that claim a network around the destination, the
// longest prefix first.
func tierCIDR[S candidate](p *picker[S], d destination, c *choice[S]) {
	// Addr.Prefix forgets the zone, and a zone is no part of any network.
	if !d.addr.IsValid() || d.addr.Zone() != "" {
		return
	}
	lengths := &p.lengths[family(d.addr)]
	for bits := d.addr.BitLen(); bits >= 0 && !c.full(); bits-- {
		if lengths[bits] == 0 {
			continue
		}
		network, err := d.addr.Prefix(bits)
		if err != nil {
			return
		}
		p.cidrs[network].best(c)
	}
}

// tierDefaultRoute finds the sessions that offer a default route.
func tierDefaultRoute[S candidate](p *picker[S], _ destination, c *choice[S]) { p.routes.best(c) }

// tierAny finds every session, whatever it claims. Konnectivity calls it
// default. It is right only where every agent reaches everything.
func tierAny[S candidate](p *picker[S], _ destination, c *choice[S]) { p.all.best(c) }
