package yamux

import (
	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/mux"
)

// tunnelConn is a stream in the form the relay knows: it resets with an error,
// whose kind picks the reason the far end reads.
type tunnelConn struct{ *mux.Stream }

// Reset passes err on to the far end.
func (c tunnelConn) Reset(err error) error {
	if dialer.KindOf(err) == dialer.Canceled {
		return c.Stream.Reset(mux.ReasonCanceled)
	}
	return c.Stream.Reset(mux.ReasonReset)
}

// OnPeerStop is the stream's, in the form the relay asks for.
func (c tunnelConn) OnPeerStop(f func()) (cancel func()) {
	stop := c.Stream.OnPeerStop(f)
	return func() { stop() }
}
