package sshtunnel_test

import (
	"context"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/sshtunnel"
)

// fleet is a number of SSH servers in memory, in a bubble, each with echoes at
// whatever address it is asked for. It is the way to all of them.
type fleet struct {
	t       *testing.T
	servers map[string]*sshtest.Server // by address
	log     *logs

	mu    sync.Mutex
	asked map[string][]string // by server, what it was asked to dial
}

func newFleet(t *testing.T, names ...string) *fleet {
	f := &fleet{t: t, servers: map[string]*sshtest.Server{}, asked: map[string][]string{}, log: &logs{}}
	for _, name := range names {
		address := name + ":22"
		f.servers[address] = sshtest.New(t, sshtest.Options{Dial: func(ctx context.Context, network, target string) (net.Conn, error) {
			f.mu.Lock()
			f.asked[name] = append(f.asked[name], network+" "+target)
			f.mu.Unlock()
			near, far := sshtest.Pipe()
			go func() {
				io.Copy(far, far)
				far.Close()
			}()
			return near, nil
		}})
	}
	return f
}

// DialContext connects to the server of that address.
func (f *fleet) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if s := f.servers[address]; s != nil {
		return s.DialContext(ctx, network, address)
	}
	return nil, syscall.EHOSTUNREACH
}

func (f *fleet) server(name string) *sshtest.Server { return f.servers[name+":22"] }

// node is the node of a server, with its key.
func (f *fleet) node(name string, hosts ...string) sshtunnel.Node {
	return sshtunnel.Node{Name: name, Address: name + ":22", Hosts: hosts, HostKeys: sshtunnel.PinnedKeys(f.server(name).HostKey())}
}

// last is what the server of that name was asked to dial last.
func (f *fleet) last(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if all := f.asked[name]; len(all) > 0 {
		return all[len(all)-1]
	}
	return ""
}

func (f *fleet) config(nodes sshtunnel.Nodes) sshtunnel.PoolConfig {
	return sshtunnel.PoolConfig{Nodes: nodes, Log: f.log.Logger(), Template: sshtunnel.Config{
		User: "egress", Via: f, Credentials: []sshtunnel.Credentials{sshtunnel.StaticSigners(userKey())},
	}}
}

// pool is a Pool over nodes that the test's end closes, still in the bubble.
func (f *fleet) pool(nodes sshtunnel.Nodes, turn ...func(*sshtunnel.PoolConfig)) *sshtunnel.Pool {
	f.t.Helper()
	cfg := f.config(nodes)
	for _, change := range turn {
		change(&cfg)
	}
	p, err := sshtunnel.NewPool(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := p.Close(); err != nil {
			f.t.Errorf("Close: %v", err)
		}
	})
	return p
}

// list is a list that does not change.
func list(t testing.TB, nodes ...sshtunnel.Node) *sshtunnel.NodeList {
	t.Helper()
	return testkit.Must(sshtunnel.NewNodeList(nodes...))(t)
}

// live is one that does.
func live(t testing.TB, nodes ...sshtunnel.Node) *sshtunnel.LiveNodes {
	t.Helper()
	return testkit.Must(sshtunnel.NewLiveNodes(nodes...))(t)
}

func update(t testing.TB, l *sshtunnel.LiveNodes, nodes ...sshtunnel.Node) {
	t.Helper()
	if err := l.Update(nodes...); err != nil {
		t.Fatal(err)
	}
}

// networks are parsed CIDRs.
func networks(texts ...string) (all []netip.Prefix) {
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

// newTestKey is a public key that nobody has.
func newTestKey(t testing.TB) ssh.PublicKey { return sshtest.NewKey(t).PublicKey() }

// statusOf is that of the node, the zero one where there is none.
func statusOf(p *sshtunnel.Pool, name string) (s sshtunnel.NodeStatus) {
	for _, s := range p.Nodes() {
		if s.Name == name {
			return s
		}
	}
	return s
}

// settled waits until nothing in the bubble moves, and returns what get says then.
func settled[T any](get func() T) T {
	synctest.Wait()
	return get()
}
