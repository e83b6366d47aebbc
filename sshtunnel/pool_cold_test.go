package sshtunnel_test

import (
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/sshtunnel"
)

// pooled is a Pool whose one node is ep, which has all of loopback.
func pooled(t testing.TB, ep endpoint) *sshtunnel.Pool {
	t.Helper()
	template := configFor(ep)
	template.Address = ""
	p := testkit.Must(sshtunnel.NewPool(sshtunnel.PoolConfig{Template: template, Nodes: list(t, sshtunnel.Node{
		Name: "node", Address: ep.Addr(), CIDRs: networks("127.0.0.0/8", "::1/128"),
	})}))(t)
	t.Cleanup(func() { p.Close() })
	return p
}

// 64 dials at once to a cold node make one handshake, and the pool's end leaves
// neither goroutines nor descriptors.
func TestPoolLeavesNothing(t *testing.T) {
	leak.Check(t)
	target := echo(t)
	ep := startOurs(t, endpointOptions{}).(ours)
	before := leak.Descriptors()
	p := pooled(t, ep)
	results := make(chan error, 64)
	for range cap(results) {
		go func() {
			c, err := p.DialContext(t.Context(), "tcp", target)
			if err == nil {
				c.Close()
			}
			results <- err
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := len(ep.Logins()); n != 1 {
		t.Errorf("%d handshakes", n)
	}
	p.Close()
	eventually(t, "descriptors return", func() bool { return leak.Descriptors() <= before+2 })
}
