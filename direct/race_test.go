package direct

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/dialer/dialertest"
	"github.com/sallyport/sallyport/internal/leak"
)

func TestRace(t *testing.T) {
	both := []string{"fd00::1", "10.0.0.1"}
	tests := []struct {
		name    string
		answers []string
		delay   time.Duration
		network *fakeNet
		want    string
		took    time.Duration
	}{
		{"first wins", both, 0, &fakeNet{}, "[fd00::1]:80", 0},
		{"first is slow but in time", both, 0, &fakeNet{slow: "fd00::1", delay: 200 * time.Millisecond}, "[fd00::1]:80", 200 * time.Millisecond},
		{"first hangs", both, 0, &fakeNet{hang: "fd00::1"}, "10.0.0.1:80", DefaultFallbackDelay},
		{"first hangs, own delay", both, time.Second, &fakeNet{hang: "fd00::1"}, "10.0.0.1:80", time.Second},
		{"first refuses", both, 0, &fakeNet{refuse: "fd00::1"}, "10.0.0.1:80", 0},
		{"first wins late", both, 0, &fakeNet{slow: "fd00::1", delay: time.Second, hang: "10.0.0.1"}, "[fd00::1]:80", time.Second},
		{"fallback refuses", both, 0, &fakeNet{slow: "fd00::1", delay: time.Second, refuse: "10.0.0.1"}, "[fd00::1]:80", time.Second},
		{"loser connects too", both, 0, &fakeNet{slow: "fd00::1", delay: time.Second}, "10.0.0.1:80", DefaultFallbackDelay},
		{"no race", both, -1, &fakeNet{hang: "fd00::1"}, "10.0.0.1:80", dialer.DefaultTimeout / 2},
		{"one family", []string{"10.0.0.1", "10.0.0.2"}, 0, &fakeNet{hang: "10.0.0.1"}, "10.0.0.2:80", dialer.DefaultTimeout / 2},
		{"the rest of a family", []string{"fd00::1", "10.0.0.1", "fd00::2"}, time.Hour, &fakeNet{refuse: "fd00::1"}, "[fd00::2]:80", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &Dialer{
					Resolver:      &script{answers: [][]string{tt.answers}},
					FallbackDelay: tt.delay,
					connect:       tt.network.connect,
				}
				begin := time.Now()
				c, err := d.DialContext(t.Context(), "tcp", "node.example:80")
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if got := c.(*countedConn).addr; got != tt.want {
					t.Errorf("connected to %s, want %s", got, tt.want)
				}
				time.Sleep(time.Minute) // let a loser arrive
				if got := tt.network.open(); !slices.Equal(got, []string{tt.want}) {
					t.Errorf("open conns %v; want the winner's only", got)
				}
			})
		})
	}
}

// TestFirstErrorCounts: of several failures the preferred address tells most.
func TestFirstErrorCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, answers := range [][]string{{"fd00::1", "10.0.0.1"}, {"fd00::1", "fd00::2"}} {
			d := &Dialer{
				Resolver: &script{answers: [][]string{answers}},
				connect:  (&fakeNet{refuse: "fd00::1", hang: answers[1]}).connect,
			}
			_, err := d.DialContext(t.Context(), "tcp", "node.example:80")
			checkError(t, err, dialer.HopTarget, dialer.Refused)
		}
	})
}

// TestCancelledRace: the caller's giving up ends both sides at once.
func TestCancelledRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		d := &Dialer{
			Resolver: &script{answers: [][]string{{"fd00::1", "10.0.0.1"}}},
			connect:  (&fakeNet{hang: "fd00::1", refuse: "10.0.0.1"}).connect,
		}
		begin := time.Now()
		_, err := d.DialContext(ctx, "tcp", "node.example:80")
		checkError(t, err, dialer.HopTarget, dialer.Canceled)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("took %v, want 1s", took)
		}
	})
}

// TestDescriptorsReturn: a dial that is called off leaves no socket behind.
func TestDescriptorsReturn(t *testing.T) {
	address := dialertest.Blackhole(t)
	leak.Check(t)
	before := leak.Descriptors()
	if before < 0 {
		t.Skip("this system does not count descriptors")
	}
	const dials = 500
	errs := make(chan error, dials)
	ctx, cancel := context.WithCancel(t.Context())
	for range dials {
		go func() {
			c, err := new(Dialer).DialContext(ctx, "tcp", address)
			if err == nil {
				c.Close()
			}
			errs <- err
		}()
	}
	// Cancel once most of them are under way.
	for limit := time.Now().Add(10 * time.Second); leak.Descriptors() < before+dials/2; {
		if time.Now().After(limit) {
			t.Fatal("the dials do not start")
		}
		time.Sleep(time.Millisecond) // polling
	}
	cancel()
	for range dials {
		if err := <-errs; dialer.KindOf(err) != dialer.Canceled {
			t.Errorf("got %v, want a cancelled dial", err)
		}
	}
	for limit := time.Now().Add(10 * time.Second); leak.Descriptors() > before+5; {
		if time.Now().After(limit) {
			t.Fatalf("%d descriptors are open, %d were before the dials", leak.Descriptors(), before)
		}
		time.Sleep(time.Millisecond) // polling
	}
}
