package grpc

import (
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"net"
	"sync"

	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/streamconn"
	"github.com/sallyport/sallyport/internal/wire"
)

// dials are those of a session that have not been answered yet, by the random
// number that names each.
type dials struct {
	mu      sync.Mutex
	pending map[int64]dial
	given   abandoned // up, and not answered
	err     error     // why there can be no more
}

// dial is one of them.
type dial struct {
	network, address string
	grant            int64 // that the agent is told of, and that Admit has given
	// result takes one outcome without blocking.
	result chan<- outcome
}

// local is the agent's end of the connection, the address that the target sees,
// or nil when the agent did not say.
func (d dial) local(p *wire.Packet) net.Addr {
	local := sane(p.Local)
	if local == "" {
		return nil
	}
	return streamconn.Addr("tcp", local)
}

// remote is the target as the agent reached it, or as it was asked for.
func (d dial) remote(p *wire.Packet) net.Addr {
	return streamconn.Addr(d.network, cmp.Or(sane(p.Remote), d.address))
}

// sane returns an address that an agent has told, or nothing where it is longer
// than any: it is kept for as long as its connection.
func sane(address string) string {
	if len(address) > link.MaxAddress {
		return ""
	}
	return address
}

// outcome is how a dial ended.
type outcome struct {
	conn net.Conn
	err  error
}

// add makes room for a dial. Its outcome, if it gets one, is the one value that
// the channel delivers.
func (d *dials) add(network, address string, grant int64) (random int64, result <-chan outcome, err error) {
	ch := make(chan outcome, 1)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return 0, nil, d.err
	}
	if d.pending == nil {
		d.pending = make(map[int64]dial)
	}
	for random == 0 || d.pending[random].result != nil {
		random = newRandom()
	}
	d.pending[random] = dial{network, address, grant, ch}
	return random, ch, nil
}

// newRandom returns 63 random bits that nobody can guess.
func newRandom() int64 {
	var b [8]byte
	rand.Read(b[:]) // never fails, says crypto/rand
	return int64(binary.LittleEndian.Uint64(b[:]) >> 1)
}

// take removes a dial that the agent has answered. Whoever has taken it, and
// nobody else, sends its outcome.
func (d *dials) take(random int64) (taken dial, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken, ok = d.pending[random]
	delete(d.pending, random)
	d.given.remove(random)
	return taken, ok
}

// abandon removes a dial of which the agent knows, and whose answer nobody waits
// for any more. ok reports whether it was there; if not, there is an outcome.
func (d *dials) abandon(random int64) (left dial, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	left, ok = d.pending[random]
	delete(d.pending, random)
	if ok {
		d.given.add(random)
	}
	return left, ok
}

// fail ends every dial with err, and refuses further ones.
func (d *dials) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
	}
	for random, left := range d.pending {
		delete(d.pending, random)
		left.result <- outcome{err: err}
	}
}

// abandoned is how many of them nobody waits for.
func (d *dials) abandoned() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.given.len()
}

// len is how many dials somebody waits for.
func (d *dials) len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.pending)
}
