package mux

import (
	"io"

	"github.com/sallyport/sallyport/internal/streamconn"
)

// Deliver writes what the peer sends to w, as WriteTo does, on a goroutine of the
// session's that exists only while there are bytes. It returns at once and calls
// ended with what WriteTo would have returned, once, when all else is done;
// Deliver may be called again then. Nobody may read meanwhile.
func (st *Stream) Deliver(w io.Writer, ended func(error)) bool {
	st.recv.Deliver(&delivery{stream: st, Sink: streamconn.Sink{W: w}, ended: ended}, &st.s.workers)
	return true
}

// delivery is a stream's writer of what comes.
type delivery struct {
	streamconn.Sink
	stream *Stream
	ended  func(error)
}

// Took implements streamconn.Recipient.
func (d *delivery) Took(n int) { d.stream.consumed(n) }

// Ended implements streamconn.Recipient.
func (d *delivery) Ended(err error) {
	switch {
	case d.Err != nil:
		err = d.Err
	case err == io.EOF:
		err = nil
	default:
		err = d.stream.opError("read", err)
	}
	d.ended(err)
}
