package sshtunnel_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// TestDialsWhileTheClientEnds: what a dial starts is waited for, also when the
// client has just been lost.
func TestDialsWhileTheClientEnds(t *testing.T) {
	leak.Check(t)
	for range 50 {
		server := sshtest.New(t, sshtest.Options{})
		cfg := configFor(ours{server})
		cfg.Address, cfg.Via = "192.0.2.22:22", server
		d := newDialer(t, cfg)
		if c, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:1"); err == nil {
			c.Close()
		}
		var dials sync.WaitGroup
		for range 4 {
			dials.Go(func() {
				if c, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:1"); err == nil {
					c.Close()
				}
			})
		}
		server.DropConns()
		dials.Wait()
		d.Close()
		if _, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, sshtunnel.ErrClosed) {
			t.Fatalf("a dial after Close: %v", err)
		}
		server.Close()
	}
}
