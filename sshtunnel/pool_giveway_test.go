package sshtunnel_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// patient dials address and gives up after a while.
func patient(t *testing.T, p *sshtunnel.Pool, address string, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := p.DialContext(ctx, "tcp", address)
	if err == nil {
		c.Close()
	}
	return err
}

// TestPoolAbandonedGivesWay: a hung node whose caller has left does not keep another one
// waiting, be there but one turn.
func TestPoolAbandonedGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, nodes, _ := crowd(t, 1)
		p := f.pool(list(t, nodes...), func(c *sshtunnel.PoolConfig) { c.MaxHandshakes = 1 })
		if err := patient(t, p, "n0:1", time.Second/2); err == nil {
			t.Fatal("a hung node was reached")
		}
		synctest.Wait()
		if n := p.Status().Handshakes; n != 1 {
			t.Errorf("%d handshakes go on, want the one that nobody waits for", n)
		}
		if err := patient(t, p, "healthy:1", 5*time.Second); err != nil {
			t.Error(err)
		}
	})
}

// TestPoolAbandonedGivesWayToSuspects: a node that failed once and is well again is
// reached, although hung ones that nobody waits for have all the suspects' turns.
func TestPoolAbandonedGivesWayToSuspects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, nodes, _ := crowd(t, 2)
		p := f.pool(list(t, nodes...), func(c *sshtunnel.PoolConfig) { c.MaxHandshakes, c.Template.Backoff = 4, -1 })
		f.server("healthy").Set(func(k *sshtest.Knobs) { k.Silent = true })
		if patient(t, p, "healthy:1", 30*time.Second) == nil {
			t.Fatal("a silent node was reached")
		}
		f.server("healthy").Set(func(k *sshtest.Knobs) { k.Silent = false })
		patient(t, p, "n0:1", time.Second/2)
		patient(t, p, "n1:1", time.Second/2)
		synctest.Wait()
		if n := p.Status().Handshakes; n != 2 {
			t.Errorf("%d handshakes go on, want the two that nobody waits for", n)
		}
		if err := patient(t, p, "healthy:1", 5*time.Second); err != nil {
			t.Error(err)
		}
	})
}

// TestPoolWantedAgain: a handshake that somebody waits for again gives way to nobody.
func TestPoolWantedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, nodes, _ := crowd(t, 1)
		p := f.pool(list(t, nodes...), func(c *sshtunnel.PoolConfig) { c.MaxHandshakes = 1 })
		patient(t, p, "n0:1", time.Second/2)
		again := make(chan error, 1)
		go func() { again <- patient(t, p, "n0:1", time.Hour) }()
		synctest.Wait()
		if patient(t, p, "healthy:1", time.Second) == nil {
			t.Error("a handshake that was waited for gave way")
		}
		select {
		case err := <-again:
			t.Errorf("it ended early: %v", err)
		default:
		}
		<-again
	})
}
