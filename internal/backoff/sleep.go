package backoff

import (
	"context"
	"time"
)

// Sleep waits for d or until ctx ends, and returns the cause of ctx in that
// case. A d of zero or below does not wait, but still reports an ended ctx, so
// that a retry loop ends even where its policy waits for nothing.
func Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
