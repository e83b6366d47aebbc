package sshtunnel_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/sshtunnel"
)

// nilNodes breaks the promise of Nodes.
type nilNodes struct{}

func (nilNodes) Current() (*sshtunnel.NodeList, error) { return nil, nil }

func TestNewPoolChecks(t *testing.T) {
	f := newFleet(t, "a", "b")
	for name, c := range map[string]struct {
		turn func(*sshtunnel.PoolConfig)
		want string
	}{
		"no nodes": {func(c *sshtunnel.PoolConfig) { c.Nodes = nil }, "PoolConfig.Nodes is nil"},
		"nil list": {func(c *sshtunnel.PoolConfig) { c.Nodes = nilNodes{} }, "nil list"},
		"address":  {func(c *sshtunnel.PoolConfig) { c.Template.Address = "a:22" }, `PoolConfig.Template.Address is "a:22"`},
		"admit": {func(c *sshtunnel.PoolConfig) {
			c.Template.Admit = func(context.Context) (func(), error) { return nil, nil }
		}, "PoolConfig.Template.Admit is set"},
		"negative handshakes":   {func(c *sshtunnel.PoolConfig) { c.MaxHandshakes = -1 }, "PoolConfig.MaxHandshakes is -1"},
		"negative nodes":        {func(c *sshtunnel.PoolConfig) { c.MaxNodes = -1 }, "PoolConfig.MaxNodes is -1"},
		"too many nodes":        {func(c *sshtunnel.PoolConfig) { c.MaxNodes = 1 }, "a list of 2 nodes; PoolConfig.MaxNodes is 1"},
		"no user":               {func(c *sshtunnel.PoolConfig) { c.Template.User = "" }, `node "`},
		"no credentials":        {func(c *sshtunnel.PoolConfig) { c.Template.Credentials = nil }, "Credentials"},
		"no host keys":          {func(c *sshtunnel.PoolConfig) { c.Nodes = list(t, sshtunnel.Node{Name: "a", Address: "a:22"}) }, "HostKeys"},
		"default with hosts":    {func(c *sshtunnel.PoolConfig) { n := f.node("a", "x"); c.Default = &n }, "PoolConfig.Default has Hosts or CIDRs"},
		"default with networks": {func(c *sshtunnel.PoolConfig) { n := f.node("a"); n.CIDRs = networks("::/0"); c.Default = &n }, "PoolConfig.Default has Hosts or CIDRs"},
		"default, no address":   {func(c *sshtunnel.PoolConfig) { c.Default = &sshtunnel.Node{Name: "a"} }, "PoolConfig.Default: "},
		"default, no host keys": {func(c *sshtunnel.PoolConfig) { c.Default = &sshtunnel.Node{Name: "c", Address: "c:22"} }, "HostKeys"},
	} {
		cfg := f.config(list(t, f.node("a"), f.node("b")))
		c.turn(&cfg)
		p, err := sshtunnel.NewPool(cfg)
		if p != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want an error with %q", name, err, c.want)
		}
	}
}
