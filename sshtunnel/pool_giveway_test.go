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

// TestPoolFirstLeftGivesWay: one that is left gives way to one dial, the one left first,
// and its node is dialed anew by who comes next.
func TestPoolFirstLeftGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, nodes, _ := crowd(t, 3)
		p := f.pool(list(t, nodes...), func(c *sshtunnel.PoolConfig) { c.MaxHandshakes, c.Template.Backoff = 4, -1 })
		patient(t, p, "n2:1", 30*time.Second) // it failed once
		f.server("n2").Set(func(k *sshtest.Knobs) { k.Silent = false })
		patient(t, p, "n0:1", time.Second/2)
		patient(t, p, "n1:1", time.Second/2)
		synctest.Wait()
		atOnce(t, p, "n2:1")
		if first, second := settled(f.server("n0").Conns), f.server("n1").Conns(); first != 0 || second != 1 {
			t.Errorf("%d and %d connections; want the first to have given way and the second to go on", first, second)
		}
		f.server("n0").Set(func(k *sshtest.Knobs) { k.Silent = false })
		atOnce(t, p, "n0:1")
	})
}

// TestPoolLeftGivesWayToTheWaiting: one that is left while another one waits for its turn
// gives way at once.
func TestPoolLeftGivesWayToTheWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, nodes, _ := crowd(t, 1)
		p := f.pool(list(t, nodes...), func(c *sshtunnel.PoolConfig) { c.MaxHandshakes = 1 })
		left := make(chan struct{})
		go func() {
			defer close(left)
			impatient(t, p, "n0:1")
		}()
		synctest.Wait()
		begin := time.Now()
		dial(t, p, "tcp", "healthy:1")
		if waited := time.Since(begin); waited != time.Second {
			t.Errorf("a healthy node waited %v, want a second", waited)
		}
		<-left
	})
}

// TestPoolEndedGivesNoWay: who leaves just when the handshake ends leaves nothing behind
// that gives way in place of one that goes on.
func TestPoolEndedGivesNoWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, nodes, _ := crowd(t, 2)
		p := f.pool(list(t, nodes...), func(c *sshtunnel.PoolConfig) { c.MaxHandshakes, c.Template.Backoff = 1, -1 })
		left := make(chan error)
		for range 30 {
			for range 8 {
				go func() { left <- patient(t, p, "n0:1", sshtunnel.DefaultHandshakeTimeout) }()
			}
			for range 8 {
				if err := <-left; err == nil {
					t.Error("a hung node was reached")
				}
			}
			synctest.Wait()
		}
		patient(t, p, "n1:1", time.Second/2)
		synctest.Wait()
		atOnce(t, p, "healthy:1")
	})
}

// atOnce dials and wants that to wait for nothing.
func atOnce(t *testing.T, p *sshtunnel.Pool, address string) {
	t.Helper()
	begin := time.Now()
	dial(t, p, "tcp", address)
	if waited := time.Since(begin); waited != 0 {
		t.Errorf("%s waited %v for handshakes that nobody waits for", address, waited)
	}
}
