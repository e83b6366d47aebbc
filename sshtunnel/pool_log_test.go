package sshtunnel_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/sshtunnel"
)

// Who reads of a client reads whose it is, and not only at which address.
func TestPoolLogNamesTheNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, "a", "b")
		a, fallback := f.node("a", "node-a"), f.node("b")
		a.Name, fallback.Name = "edge-1", "rest"
		p := f.pool(list(t, a), func(c *sshtunnel.PoolConfig) {
			c.Template.Log, c.Default = c.Log, &fallback
		})
		dial(t, p, "tcp", "node-a:1").Close()
		dial(t, p, "tcp", "node-b:1").Close()
		for _, want := range []string{"msg=connected node=edge-1 server=a:22 ", "msg=connected node=rest server=b:22 "} {
			if n := strings.Count(f.log.String(), want); n != 1 {
				t.Errorf("%q is logged %d times:\n%s", want, n, f.log)
			}
		}
	})
}

// A broken file is one warning, whichever of the two logs are set.
func TestPoolWarnsOnceOfAFile(t *testing.T) {
	const good = "- name: a\n  address: a:22\n"
	for name, c := range map[string]struct{ file, pool bool }{
		"both": {true, true}, "the file's": {true, false}, "the pool's": {false, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t, "a")
			log, path := slog.New(slog.NewTextHandler(f.log, nil)), filepath.Join(t.TempDir(), "nodes.yaml")
			sshtest.WriteFile(t, path, []byte(good))
			opts := sshtunnel.FileOptions{Recheck: -1}
			if c.file {
				opts.Log = log
			}
			p := f.pool(testkit.Must(sshtunnel.NewNodesFile(path, opts))(t), func(cfg *sshtunnel.PoolConfig) {
				cfg.Template.HostKeys = sshtunnel.PinnedKeys(f.server("a").HostKey())
				if !c.pool {
					cfg.Log = nil
				}
			})
			for n, content := range []string{"[]", "- [", good + "- name: a\n"} {
				sshtest.WriteFile(t, path, []byte(content))
				p.Status()
				if s := p.Status(); s.NodesErr == nil || s.Nodes != 1 {
					t.Errorf("%s: %+v", name, s)
				}
				if got := strings.Count(f.log.String(), "level=WARN"); got != n+1 {
					t.Errorf("%s: %d warnings of %d contents:\n%s", name, got, n+1, f.log)
				}
			}
		})
	}
}
