package konnectivity

import (
	"fmt"
	"slices"
	"testing"
)

// A session is listed once, whatever it does while it is looked at.
func TestPickListsOnce(t *testing.T) {
	p, s := newTestPicker(t, [2]string{"a", "host=x&default-route=true"}, [2]string{"b", "default-route=true"})
	for range 50 {
		checkPick(t, p, "x", "a b")
	}
	s["a"].drain.Store(true)
	s["b"].drain.Store(true)
	for range 50 {
		if got := fmt.Sprint(p.candidates("x", 2)); got != "[a b]" {
			t.Fatalf("candidates = %s, want [a b]", got)
		}
	}
	c := choice[*pickSession]{limit: 2}
	c.addDraining(s["a"])
	c.addLive(s["a"], 0)
	if got := c.all(); len(got) != 1 {
		t.Errorf("a session that stopped draining is listed as %s", got)
	}
}

// However many are draining, the one that is not is found.
func TestPickFindsTheOneNotDraining(t *testing.T) {
	p := newPicker[*pickSession]()
	for i := range 1000 {
		s := newPickSession(t, fmt.Sprint(i), "default-route=true")
		s.drain.Store(i != 500)
		p.add(s)
	}
	for range 100 {
		if got := p.candidates("a", 2); len(got) != 2 || got[0].name != "500" || got[1].name == "500" {
			t.Fatalf("candidates = %s, want 500 and a draining one", got)
		}
	}
}

func TestPickLeastLoaded(t *testing.T) {
	p := newPicker[*pickSession]()
	for i := range sampleSize {
		s := newPickSession(t, fmt.Sprint(i), "host=a")
		s.busy.Store(int64((i * 37) % sampleSize))
		p.add(s)
	}
	for range 50 {
		got := p.candidates("a", 5)
		for i, s := range got {
			if s.load() != i || len(got) != 5 {
				t.Fatalf("candidates = %s, want the five least loaded in order", got)
			}
		}
	}
	if got := p.candidates("a", 0); len(got) != defaultCandidates {
		t.Errorf("%d candidates for limit 0, want %d", len(got), defaultCandidates)
	}
	if got := p.candidates("a", -1); len(got) != defaultCandidates {
		t.Errorf("%d candidates for limit -1, want %d", len(got), defaultCandidates)
	}
}

// Among equals every session, two of the same agent included, is first about
// equally often. The bounds are eight standard deviations wide.
func TestPickTiesAreFair(t *testing.T) {
	p, s := newTestPicker(t, [2]string{"busy", "host=a"}, [2]string{"a", "host=a"}, [2]string{"a2", "host=a"}, [2]string{"a3", "host=a"})
	s["busy"].busy.Store(1)
	const n = 9000
	first := map[string]int{}
	for range n {
		first[p.candidates("a", 2)[0].name]++
	}
	for _, name := range []string{"a", "a2", "a3"} {
		if first[name] < n/3-360 || first[name] > n/3+360 {
			t.Errorf("%s was first %d times of %d, want a third", name, first[name], n)
		}
	}
	if first["busy"] != 0 {
		t.Errorf("the busier one was first %d times", first["busy"])
	}
}

// Sampling must balance about as well as looking at everything.
func TestPickBalancesLargeBuckets(t *testing.T) {
	p := newPicker[*pickSession]()
	var all []*pickSession
	for i := range 2000 {
		s := newPickSession(t, fmt.Sprint(i), "default-route=true")
		all = append(all, s)
		p.add(s)
	}
	for range 20 * len(all) {
		p.candidates("a", 1)[0].busy.Add(1)
	}
	for _, s := range all {
		if n := s.load(); n < 17 || n > 22 {
			t.Errorf("session %s has load %d, want about 20", s, n)
		}
	}
}

func TestPickRemoveAnyOrder(t *testing.T) {
	p := newPicker[*pickSession]()
	var left []*pickSession
	for i := range 200 {
		s := newPickSession(t, fmt.Sprint(i), fmt.Sprintf("host=h%d&host=all&default-route=%v", i%7, i%2 == 0))
		left = append(left, s)
		p.add(s)
	}
	for i := 0; len(left) > 0; i++ {
		at := (i * 31) % len(left)
		p.remove(left[at])
		left = slices.Delete(left, at, at+1)
		got := p.candidates("all", 500)
		if len(got) != len(left) {
			t.Fatalf("%d candidates, want %d", len(got), len(left))
		}
		for _, s := range left {
			if !slices.Contains(got, s) {
				t.Fatalf("%s is lost", s)
			}
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1_000, 10_000} {
		p := newPicker[*pickSession]()
		for i := range n {
			p.add(newPickSession(b, "", fmt.Sprintf("host=node-%d&cidr=10.%d.%d.0/24&default-route=true", i, i/256, i%256)))
		}
		for _, bm := range []struct{ name, host string }{{"host", "node-0"}, {"cidr", "10.0.0.9"}, {"default", "elsewhere"}} {
			b.Run(fmt.Sprintf("%s/%d", bm.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					p.candidates(bm.host, 1)
				}
			})
			b.Run(fmt.Sprintf("%s3/%d", bm.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					p.candidates(bm.host, 3)
				}
			})
		}
		b.Run(fmt.Sprintf("add+remove/%d", n), func(b *testing.B) {
			s := newPickSession(b, "", "host=extra&cidr=10.0.0.0/24&default-route=true")
			for b.Loop() {
				p.add(s)
				p.remove(s)
			}
		})
	}
}
