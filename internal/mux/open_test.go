package mux

import (
	"context"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
)

// TestConcurrentOpens: stream numbers reach the peer in order, whoever opens.
func TestConcurrentOpens(t *testing.T) {
	leak.Check(t)
	a, b := tcpPair(t)
	p := newPair(t, a, b, nil)
	const openers, each = 64, 100
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range openers {
		wg.Go(func() {
			<-start
			for range each {
				st, err := p.client.Open(context.Background())
				if err != nil {
					t.Errorf("open: %v; the server: %v", err, p.server.Err())
					return
				}
				st.Close()
			}
		})
	}
	wg.Go(func() {
		for range openers * each {
			select {
			case st := <-p.accepted:
				st.Close()
			case <-p.server.Done():
				return
			}
		}
	})
	close(start)
	wg.Wait()
	balanced(t, p.client, p.server)
}
