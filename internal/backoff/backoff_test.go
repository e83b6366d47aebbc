package backoff_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/backoff"
)

// take returns the next n waits of b.
func take(b *backoff.Backoff, n int) []time.Duration {
	var out []time.Duration
	for range n {
		out = append(out, b.Next())
	}
	return out
}

func TestNext(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name   string
		policy backoff.Policy
		want   []time.Duration
	}{
		{"zero value without its jitter", backoff.Policy{Jitter: -1},
			[]time.Duration{500 * ms, 1000 * ms, 2000 * ms, 4000 * ms, 8000 * ms, 16000 * ms, 30000 * ms, 30000 * ms}},
		{"own base, bound and factor", backoff.Policy{Base: 10 * ms, Max: 50 * ms, Factor: 3, Jitter: -1},
			[]time.Duration{10 * ms, 30 * ms, 50 * ms, 50 * ms}},
		{"bound below base", backoff.Policy{Base: time.Hour, Max: time.Minute, Jitter: -1},
			[]time.Duration{time.Minute, time.Minute}},
		{"a factor below one keeps the wait", backoff.Policy{Base: 7 * ms, Factor: 0.1, Jitter: -1},
			[]time.Duration{7 * ms, 7 * ms, 7 * ms}},
		{"no overflow", backoff.Policy{Base: time.Hour, Max: math.MaxInt64, Factor: 1e12, Jitter: -1},
			[]time.Duration{time.Hour, math.MaxInt64, math.MaxInt64}},
		{"default jitter at its middle", backoff.Policy{Base: 100 * ms, Rand: func() float64 { return 0.5 }},
			[]time.Duration{75 * ms, 150 * ms}},
		{"jitter is clipped to one", backoff.Policy{Base: 100 * ms, Jitter: 9, Rand: func() float64 { return 0.75 }},
			[]time.Duration{25 * ms, 50 * ms}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, got := range take(tt.policy.New(), len(tt.want)) {
				if got != tt.want[i] {
					t.Errorf("wait %d is %v, want %v", i, got, tt.want[i])
				}
			}
		})
	}
}

func TestJitterStaysInItsRange(t *testing.T) {
	b := backoff.Policy{Base: time.Second, Max: time.Second, Jitter: 0.25}.New()
	seen := map[time.Duration]bool{}
	for range 1000 {
		d := b.Next()
		if d < 750*time.Millisecond || d > time.Second {
			t.Fatalf("wait %v outside of [750ms, 1s]", d)
		}
		seen[d] = true
	}
	if len(seen) < 100 {
		t.Errorf("only %d different waits of 1000: that is no jitter", len(seen))
	}
}

func TestReset(t *testing.T) {
	b := backoff.Backoff{Policy: backoff.Policy{Jitter: -1}}
	first := b.Next()
	if second := b.Next(); second <= first {
		t.Fatalf("second wait %v is not longer than the first, %v", second, first)
	}
	b.Reset()
	if again := b.Next(); again != first {
		t.Errorf("after Reset the wait is %v, want %v", again, first)
	}
}

func TestSleepWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		if err := backoff.Sleep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != time.Hour {
			t.Errorf("slept %v, want 1h", took)
		}
	})
}

func TestSleepIsInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Minute, func() { cancel(why) })
		begin := time.Now()
		if err := backoff.Sleep(ctx, time.Hour); !errors.Is(err, why) {
			t.Errorf("error %v, want the cause %v", err, why)
		}
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("slept %v, want 1m", took)
		}
	})
}

func TestSleepOfNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if err := backoff.Sleep(ctx, 0); err != nil {
		t.Errorf("error %v, want none", err)
	}
	cancel()
	for _, d := range []time.Duration{-1, 0, time.Hour} {
		if err := backoff.Sleep(ctx, d); !errors.Is(err, context.Canceled) {
			t.Errorf("Sleep(%v) of an ended context: %v, want %v", d, err, context.Canceled)
		}
	}
}
