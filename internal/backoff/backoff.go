// Package backoff spaces out retries: each wait is longer than the one before,
// up to a bound, and partly random, so that a fleet that lost its server at one
// moment does not come back at one moment.
package backoff

import (
	"cmp"
	"math/rand/v2"
	"time"
)

// The defaults of a zero [Policy].
const (
	DefaultBase   = 500 * time.Millisecond
	DefaultMax    = 30 * time.Second
	DefaultFactor = 2.0
	DefaultJitter = 0.5
)

// Policy says how long to wait between attempts. The zero value works: half a
// second, doubling, up to half a minute, half of each wait random.
type Policy struct {
	// Base is the first wait. Zero and below mean DefaultBase.
	Base time.Duration
	// Max bounds every wait, jitter included. Zero and below mean DefaultMax. A
	// Max below Base wins over it.
	Max time.Duration
	// Factor is what each wait is multiplied with to get the next. Zero means
	// DefaultFactor; anything else below 1 means 1, a constant wait, for waits
	// that shrink would hammer the one who is in trouble.
	Factor float64
	// Jitter is the share of each wait that is random, 0 to 1: a wait of d
	// becomes one between d*(1-Jitter) and d. Zero means DefaultJitter, a
	// negative value means none, and more than 1 means 1.
	Jitter float64
	// Rand returns a random number in [0, 1). Nil means math/rand/v2. It is
	// called by Next, on the goroutine that calls it.
	Rand func() float64
}

// New returns a Backoff at its first wait.
func (p Policy) New() *Backoff { return &Backoff{Policy: p} }

func (p Policy) base() time.Duration { return min(positive(p.Base, DefaultBase), p.max()) }

func (p Policy) max() time.Duration { return positive(p.Max, DefaultMax) }

func (p Policy) factor() float64 { return max(cmp.Or(p.Factor, DefaultFactor), 1) }

func (p Policy) jitter() float64 { return min(max(cmp.Or(p.Jitter, DefaultJitter), 0), 1) }

func (p Policy) random() float64 {
	if p.Rand != nil {
		return p.Rand()
	}
	return rand.Float64()
}

// grow returns the wait after d. It compares as floats, where a large factor
// cannot overflow into a negative duration.
func (p Policy) grow(d time.Duration) time.Duration {
	if next := float64(d) * p.factor(); next < float64(p.max()) {
		return time.Duration(next)
	}
	return p.max()
}

// shake takes the random share of d away. It only ever shortens, so that Max
// stays the bound it says it is.
func (p Policy) shake(d time.Duration) time.Duration {
	return d - time.Duration(float64(d)*p.jitter()*p.random())
}

func positive(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// Backoff is a row of waits by a [Policy]. The zero value is one by the zero
// Policy. It is not safe for concurrent use: it belongs to the one loop that
// retries.
type Backoff struct {
	// Policy may be changed between calls of Next.
	Policy Policy

	wait time.Duration // the last wait before jitter, zero before the first
}

// Next returns how long to wait before the next attempt.
func (b *Backoff) Next() time.Duration {
	if b.wait == 0 {
		b.wait = b.Policy.base()
	} else {
		b.wait = b.Policy.grow(b.wait)
	}
	return b.Policy.shake(b.wait)
}

// Reset starts again from the first wait; call it after a success.
func (b *Backoff) Reset() { b.wait = 0 }
