package packet

import (
	"io"

	"github.com/sallyport/sallyport/internal/streamconn"
)

// Deliver writes what the peer sends to w, as WriteTo does, on a goroutine of the
// carrier's that exists only while there are bytes. It returns at once and calls
// ended with what WriteTo would have returned, once, when all else is done;
// Deliver may be called again then. Nobody may read meanwhile.
func (st *Conn) Deliver(w io.Writer, ended func(error)) bool {
	st.recv.Deliver(&delivery{conn: st, Sink: streamconn.Sink{W: w}, ended: ended}, st.c.workers)
	return true
}

// delivery is a connection's writer of what comes.
type delivery struct {
	streamconn.Sink
	conn  *Conn
	ended func(error)
}

// Took implements streamconn.Recipient.
func (d *delivery) Took(n int) { d.conn.took(n) }

// Ended implements streamconn.Recipient.
func (d *delivery) Ended(err error) {
	switch {
	case d.Err != nil:
		err = d.Err
	case err == io.EOF:
		d.conn.drained()
		err = nil
	default:
		err = d.conn.opError("read", err)
	}
	d.ended(err)
}
