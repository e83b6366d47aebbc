package sshtunnel

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// ErrPoolClosed is the cause of the errors of a Pool after Close.
var ErrPoolClosed = errors.New("sshtunnel: pool closed")

// A Pool dials each destination through the SSH server of the node it lives on. It
// has a [Dialer] for each node, made when the node is dialed first, so that a node
// nobody asks for costs nothing.
//
// A destination that lives on no node goes through [PoolConfig.Default]; without
// one it is refused with dialer.ErrNoRoute. It never goes through some other node.
//
// When the list of nodes changes, a node that is gone from it, or has another
// address or user, gets no new dials; connections through it go on, and its client
// ends a second after the last one. A refresh that fails, has no node, or has
// too many changes nothing, and is reported by the log, Status and, in time, Ready.
// What is new is seen at the next dial or question.
//
// A Pool is safe for concurrent use.
type Pool struct {
	cfg     PoolConfig
	turns   *turns
	tickets atomic.Uint64 // of looks at the list

	mu       sync.Mutex
	closed   bool
	applied  uint64 // the ticket of list
	list     *NodeList
	stale    error     // why the list may be old
	since    time.Time // when that began
	nodes    map[string]*poolNode
	fallback *poolNode // for the Default
	leaving  map[*poolNode]struct{}
	ending   sync.WaitGroup // what ends nodes that are gone
}

// NewPool checks cfg, each node of the list as it is now included, and starts
// nothing.
func NewPool(cfg PoolConfig) (*Pool, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	p := &Pool{
		cfg: cfg, turns: newTurns(cfg.MaxHandshakes), list: newNodeList(0),
		nodes: map[string]*poolNode{}, leaving: map[*poolNode]struct{}{},
	}
	if err := p.checkNodes(); err != nil {
		return nil, err
	}
	p.refresh()
	return p, nil
}

// checkNodes tries a Dialer for each node: what no dial could ever get past is told
// when the Pool is made.
func (p *Pool) checkNodes() error {
	list, _ := p.cfg.Nodes.Current()
	if list == nil {
		return errNilList
	}
	if list.Len() > p.cfg.MaxNodes {
		return p.tooMany(list)
	}
	for _, n := range list.byName {
		if err := p.cfg.checkNode(n); err != nil {
			return err
		}
	}
	if p.cfg.Default != nil {
		return p.cfg.checkNode(p.cfg.Default)
	}
	return nil
}

// DialContext connects to address through the node it lives on. The networks are
// "tcp", "tcp4" and "tcp6"; a path of "unix" lies on no node, see [Pool.On]. Errors
// are *dialer.Error: at the hop select where there is no node for the address, and
// otherwise as a Dialer has them, with the node's name at the hop.
func (p *Pool) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return p.dial(ctx, network, address, nil)
}

// On returns a Dialer through the node of that name, whichever list has it at the
// time of a dial, or the Default where no list has it. It dials whatever address it
// is given there, and unix sockets, too.
func (p *Pool) On(node string) dialer.Dialer { return &onNode{pool: p, node: node} }

type onNode struct {
	pool *Pool
	node string
}

func (o *onNode) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return o.pool.dial(ctx, network, address, o)
}

// Ready says whether the node is there and may be tried.
func (o *onNode) Ready() error { return o.pool.readyOn(o.node) }

// dial goes through the node that on names, or the one of address where on is nil.
func (p *Pool) dial(ctx context.Context, network, address string, on *onNode) (net.Conn, error) {
	begin := time.Now()
	n, err := p.route(ctx, network, address, on)
	if err != nil {
		err = &dialer.Error{Hop: dialer.HopSelect, Network: network, Address: address, Err: err}
		p.cfg.Template.Trace.dialDone(ServerInfo{}, network, address, begin, err)
		return nil, err
	}
	defer p.release(n)
	c, err := n.dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, n.named(err)
	}
	return c, nil
}

// route returns the node for a dial, which is to be released.
func (p *Pool) route(ctx context.Context, network, address string, on *onNode) (*poolNode, error) {
	if ctx.Err() != nil {
		return nil, dialer.CauseOf(ctx, nil)
	}
	want, err := p.destination(ctx, network, address, on)
	if err != nil {
		return nil, err
	}
	return p.acquire(want)
}

// acquire returns the node for a destination, which cannot leave until release.
func (p *Pool) acquire(want destination) (*poolNode, error) {
	p.refresh()
	p.mu.Lock()
	defer p.mu.Unlock()
	n, err := p.pick(want)
	if err != nil {
		return nil, err
	}
	n.dials++
	return n, nil
}

// release ends what acquire began.
func (p *Pool) release(n *poolNode) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n.dials--
	if n.gone && n.dials == 0 {
		p.retire(n)
	}
}

// Close ends every client with its connections, and waits for all that the Pool
// started. Dials that wait fail with ErrPoolClosed or net.ErrClosed, as all later
// ones do. It returns nil, also when called again.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	all := p.everyone()
	p.nodes, p.fallback, p.leaving = map[string]*poolNode{}, nil, map[*poolNode]struct{}{}
	p.mu.Unlock()
	for _, n := range all {
		n.dialer.Close()
	}
	p.ending.Wait()
	return nil
}

// everyone returns all nodes that were dialed. The caller holds mu.
func (p *Pool) everyone() []*poolNode {
	all := make([]*poolNode, 0, len(p.nodes)+len(p.leaving)+1)
	for _, n := range p.nodes {
		all = append(all, n)
	}
	for n := range p.leaving {
		all = append(all, n)
	}
	if p.fallback != nil {
		all = append(all, p.fallback)
	}
	return all
}
