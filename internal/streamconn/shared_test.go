package streamconn

import (
	"sync"
	"testing"
	"testing/synctest"
)

// slow is a writer whose Write waits.
type slow chan struct{}

func (s slow) Write(p []byte) (int, error) { <-s; return len(p), nil }

// TestPartAndRestAtOnce: of a chunk that is still being filled one reader writes
// out the first part while another writes out the rest. The last of them gives the
// memory back, whoever that is.
func TestPartAndRestAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBuffer()
		put(b, []byte("first"), 5)
		rest := b.Reserve(4)
		a, z := make(slow), make(slow)
		var readers sync.WaitGroup
		readers.Go(func() { b.WriteNext(a) })
		synctest.Wait()
		copy(rest, "rest")
		b.Commit(4)
		readers.Go(func() { b.WriteNext(z) })
		synctest.Wait()
		close(a)
		close(z)
		readers.Wait()
	})
}
