package konnectivity

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

// pickSession is a session as the picker sees it.
type pickSession struct {
	name  string
	ids   Identifiers
	busy  atomic.Int64
	drain atomic.Bool
}

func (s *pickSession) load() int                { return int(s.busy.Load()) }
func (s *pickSession) draining() bool           { return s.drain.Load() }
func (s *pickSession) identifiers() Identifiers { return s.ids }
func (s *pickSession) String() string           { return s.name }

func newPickSession(t testing.TB, name, query string) *pickSession {
	t.Helper()
	ids, err := ParseIdentifiers(query)
	if err != nil {
		t.Fatal(err)
	}
	return &pickSession{name: name, ids: ids}
}

// newTestPicker returns a picker with a session for each name=query pair.
func newTestPicker(t testing.TB, sessions ...[2]string) (*picker[*pickSession], map[string]*pickSession) {
	t.Helper()
	p, byName := newPicker[*pickSession](), map[string]*pickSession{}
	for _, s := range sessions {
		byName[s[0]] = newPickSession(t, s[0], s[1])
		p.add(byName[s[0]])
	}
	return p, byName
}

// checkPick compares all candidates, in order, with the names in want.
func checkPick(t *testing.T, p *picker[*pickSession], host, want string) {
	t.Helper()
	if got := fmt.Sprint(p.candidates(host, 100)); got != "["+want+"]" {
		t.Errorf("candidates(%q) = %s, want [%s]", host, got, want)
	}
}

func TestPickTiers(t *testing.T) {
	p, _ := newTestPicker(t,
		[2]string{"default", "default-route=true"},
		[2]string{"wide", "cidr=10.0.0.0/8&cidr=2001:db8::/32"},
		[2]string{"narrow", "cidr=10.1.0.0/16&cidr=2001:db8:1::/48"},
		[2]string{"exact", "host=Node-1.&ipv4=10.1.2.3&ipv6=2001:db8:1::1"},
		[2]string{"silent", ""},
	)
	for _, tt := range []struct{ host, want string }{
		{"node-1", "exact default"},
		{"NODE-1.", "exact default"},
		{"node-2", "default"},
		{"", "default"},
		{"10.1.2.3", "exact narrow wide default"},
		{"10.1.2.4", "narrow wide default"},
		{"10.2.0.0", "wide default"},
		{"11.0.0.0", "default"},
		{"::ffff:10.1.2.3", "exact narrow wide default"},
		{"[::ffff:a01:203]", "exact narrow wide default"},
		{"2001:db8:1::1", "exact narrow wide default"},
		{"2001:DB8:0001:0::1", "exact narrow wide default"},
		{"[2001:db8:1::1]", "exact narrow wide default"},
		{"2001:db8:1::2", "narrow wide default"},
		{"2001:db8:2::1", "wide default"},
		{"2001:db8:1::1%eth0", "default"},
		{"::10.1.2.3", "default"},
		{"010.1.2.3", "default"},
	} {
		checkPick(t, p, tt.host, tt.want)
	}
}

// A lookup must ask for the extreme lengths, too.
func TestPickPrefixLengths(t *testing.T) {
	p, _ := newTestPicker(t,
		[2]string{"all4", "cidr=0.0.0.0/0"}, [2]string{"one4", "cidr=10.0.0.1/32"},
		[2]string{"all6", "cidr=::/0"}, [2]string{"one6", "cidr=2001:db8::1/128"},
	)
	checkPick(t, p, "10.0.0.1", "one4 all4")
	checkPick(t, p, "10.0.0.2", "all4")
	checkPick(t, p, "2001:db8::1", "one6 all6")
	checkPick(t, p, "2001:db8::2", "all6")
	checkPick(t, p, "name", "")
}

func TestPickDrainingLast(t *testing.T) {
	p, s := newTestPicker(t,
		[2]string{"exact", "host=a"}, [2]string{"twin", "host=a&default-route=true"}, [2]string{"default", "default-route=true"},
	)
	s["twin"].busy.Store(9)
	s["default"].busy.Store(99)
	checkPick(t, p, "a", "exact twin default")
	s["exact"].drain.Store(true)
	checkPick(t, p, "a", "twin default exact")
	s["twin"].drain.Store(true)
	if got := fmt.Sprint(p.candidates("a", 1)); got != "[default]" {
		t.Errorf("candidates = %s while one is not draining, want [default]", got)
	}
	if got := p.candidates("a", 2); len(got) != 2 || got[0] != s["default"] {
		t.Errorf("candidates = %s, want default and one more", got)
	}
	s["default"].drain.Store(true)
	if got := p.candidates("a", 9); len(got) != 3 || got[2] != s["default"] {
		t.Errorf("candidates = %s, want all three, those of the worse tier last", got)
	}
}

func TestPickRemove(t *testing.T) {
	p, s := newTestPicker(t,
		[2]string{"a", "host=x&ipv4=10.0.0.1&cidr=10.0.0.0/8&default-route=true"},
		[2]string{"b", "host=x&ipv4=10.0.0.1&cidr=10.0.0.0/8&cidr=10.0.0.0/16&default-route=true"},
	)
	checkPick(t, p, "10.0.9.9", "b a")
	p.add(s["a"]) // a second time changes nothing
	p.remove(s["b"])
	p.remove(s["b"])
	for _, host := range []string{"x", "10.0.0.1", "10.0.9.9", "y"} {
		checkPick(t, p, host, "a")
	}
	p.remove(s["a"])
	for _, host := range []string{"x", "10.0.0.1", "10.0.9.9", "y"} {
		checkPick(t, p, host, "")
	}
	if p.len() != 0 || len(p.hosts)+len(p.addrs)+len(p.cidrs)+len(p.all.items)+len(p.routes.items) != 0 || p.lengths != [2][129]int{} {
		t.Errorf("something is left of removed sessions: %+v", p)
	}
	p.add(s["b"])
	checkPick(t, p, "10.0.9.9", "b")
}

func TestPickStrategies(t *testing.T) {
	silent := newPickSession(t, "silent", "")
	route := newPickSession(t, "route", "default-route=true&host=a")
	silent.busy.Store(1)
	for _, tt := range []struct {
		name  string
		tiers []tier[*pickSession]
		want  string
	}{
		{"any", []tier[*pickSession]{tierAny[*pickSession]}, "route silent"},
		{"host", []tier[*pickSession]{tierHost[*pickSession]}, ""},
		{"route, then any", []tier[*pickSession]{tierDefaultRoute[*pickSession], tierAny[*pickSession]}, "route silent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPicker(tt.tiers...)
			p.add(silent)
			p.add(route)
			checkPick(t, p, "b", tt.want)
		})
	}
}

// Malformed identifiers reach nothing, rather than something by accident.
func TestPickMalformedIdentifiers(t *testing.T) {
	p := newPicker[*pickSession]()
	s := &pickSession{ids: Identifiers{Hosts: []string{"a", "b c"}, DefaultRoute: true}}
	p.add(s)
	checkPick(t, p, "a", "")
	p.remove(s)
	if p.len() != 0 {
		t.Error("it was not removed")
	}
}

func TestPickNoRoute(t *testing.T) {
	p, _ := newTestPicker(t)
	for _, tt := range []struct{ query, want string }{
		{"", "those connected serve nothing"},
		{"host=node-1&ipv4=10.0.0.1", "those connected serve host=node-1 ipv4=10.0.0.1; nothing"},
		{"host=node-1&ipv4=10.0.0.1", "those connected serve host=node-1 ipv4=10.0.0.1; nothing"}, // a second tunnel
		{"host=a&host=b&host=c&cidr=10.0.0.0/8", "serve host=a host=b cidr=10.0.0.0/8 and 1 more; host=node-1 ipv4=10.0.0.1; nothing"},
		{"ipv6=2001:db8::1", "; ipv6=2001:db8::1; nothing"},
		{"default-route=true&host=z", "; host=z default-route=true; ipv6=2001:db8::1; nothing"},
		{"host=y", "; and others"},
	} {
		p.add(newPickSession(t, tt.query, tt.query))
		checkNoRoute(t, p, tt.want)
	}
	many, _ := newTestPicker(t)
	for range 10 * sampleSize {
		many.add(newPickSession(t, "twin", "host=a"))
	}
	checkNoRoute(t, many, "serve host=a; and others") // it has not looked at all of them
	none, _ := newTestPicker(t)
	checkNoRoute(t, none, "none is connected")
}

func checkNoRoute(t *testing.T, p *picker[*pickSession], want string) {
	t.Helper()
	err := p.noRoute("node-9")
	if !errors.Is(err, dialer.ErrNoRoute) || !strings.Contains(err.Error(), `no agent for "node-9"`) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("noRoute = %v, want one that ends in %q", err, want)
	}
}

func TestPickConcurrent(t *testing.T) {
	p, s := newTestPicker(t, [2]string{"stays", "host=a&default-route=true"})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			mine := newPickSession(t, fmt.Sprint(w), "host=a&cidr=10.0.0.0/8&default-route=true")
			for i := range 300 {
				p.add(mine)
				mine.busy.Store(int64(i % 3))
				mine.drain.Store(i%2 == 0)
				if !slices.Contains(p.candidates("a", 9), s["stays"]) {
					t.Error("a session is lost while others come and go")
				}
				if !slices.Contains(p.candidates("10.0.0.1", 9), mine) {
					t.Error("a session that was added is not found")
				}
				p.remove(mine)
			}
		})
	}
	wg.Wait()
	checkPick(t, p, "10.0.0.1", "stays")
}
