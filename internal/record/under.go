package record

import (
	"net"
	"sync"

	"github.com/sallyport/sallyport/internal/eager"
)

// blockSize is how much is read ahead or held back at most: a little more than
// the records of 64 KiB, so that what one Write of that size holds back never has
// to go out in two.
const blockSize = 72 << 10

type block [blockSize]byte

// blocks is shared by all conns. It is a cache and no state: what is in it
// changes nothing but the number of allocations.
var blocks = sync.Pool{New: func() any { return new(block) }}

// Conn is a conn for TLS to be put on top of. Everything but Read and Write is
// the conn's below.
type Conn struct {
	net.Conn
	in  source // nil where the conn below is read as TLS asks for it
	out held
}

// source reads a conn ahead.
type source interface{ read(p []byte) (int, error) }

// Under returns conn for TLS to be put on top of. It owns conn from now on. The
// bytes of a socket are read ahead where the system can wait for one without a
// buffer; any other conn is read as it is asked for.
func Under(conn net.Conn) *Conn {
	return &Conn{Conn: conn, in: newSource(conn), out: held{eager: eager.New(conn)}}
}

// NetConn returns the conn below, for who wants to reset or to tune it. It must
// not be read or written.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Read returns what has been read ahead, or else waits. Bytes that are there are
// returned after a deadline, too.
func (c *Conn) Read(p []byte) (int, error) {
	if c.in == nil {
		return c.Conn.Read(p)
	}
	return c.in.read(p)
}

// Write writes p, or keeps it while records are held back. After an error nobody
// knows what of earlier records has left: TLS is at its end then anyway.
func (c *Conn) Write(p []byte) (int, error) { return c.out.write(c.Conn, p) }
