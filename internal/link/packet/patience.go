package packet

import "time"

// How a reader that has waited in vain waits from then on: each time half as
// long, down to a part of Patience, and twice as long again for each while that
// passes without. Consumers that get stuck one after the other would otherwise
// hold up everybody for as long as somebody makes more of them.
const (
	leastPart     = 32 // of Patience
	recoveryTimes = 10 // Patience, for each doubling
)

// patience is how long the reader still waits for a consumer. It is the reader's
// alone, except for epoch.
type patience struct {
	full   time.Duration // Config.Patience; zero waits as long as it takes
	halved int           // how often
	at     time.Time     // of the last halving, or of what was taken back since
	// stuck is the epoch of the last wait that lasted for all of full in vain, and
	// stuckAt when it ended.
	stuck   int64
	stuckAt time.Time
}

// now returns how long to wait.
func (p *patience) now() time.Duration {
	for p.halved > 0 && time.Since(p.at) >= recoveryTimes*p.full {
		p.halved--
		p.at = p.at.Add(recoveryTimes * p.full)
	}
	return max(p.full>>p.halved, p.full/leastPart)
}

// lost notes that a wait ended in vain: the one of this epoch, which lasted for d.
func (p *patience) lost(epoch int64, d time.Duration) {
	p.at = time.Now()
	if p.full>>p.halved > p.full/leastPart {
		p.halved++
	}
	if d == p.full {
		p.stuck, p.stuckAt = epoch, p.at
	}
}

// spent reports whether the reader has just waited for somebody else for all of
// its patience, and a consumer whose queue is full and which took nothing since
// the given epoch has had that time too.
func (p *patience) spent(took int64) bool {
	return p.stuck > took && time.Since(p.stuckAt) < p.full
}
