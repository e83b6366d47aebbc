package packet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/sallyport/sallyport/dialer"
)

// errStopped is what writing fails with when the peer has closed the connection
// and reads no more.
var errStopped = os.NewSyscallError("stream", syscall.EPIPE)

// Errors of the carrier itself.
var (
	ErrTaken = errors.New("the connection id is in use")
	// ErrBusy says that a request was not queued, and that nothing else is wrong.
	ErrBusy    = errors.New("the peer reads too slowly: as many requests wait to be sent as may")
	errFlood   = errors.New("more packets wait to be sent than a working peer leaves unread")
	errStalled = errors.New("the consumer made no progress")
	// errEnded is why connections fail whose peer ended the stream before it had
	// closed them.
	errEnded   = errors.New("the peer ended the stream")
	errSlowEnd = errors.New("the peer did not end the stream of a connection that is over")
	errGreedy  = errors.New("the tunnel's memory is used up, and this consumer left most unread")
)

// ResetError is what a connection fails with after its peer reset it. It is
// dialer.ErrReset and syscall.ECONNRESET to errors.Is.
type ResetError struct {
	Kind dialer.Kind // of what the peer's own connection failed with; Other when it did not say
	Text string      // the peer's words, for people; may be empty
}

// Error says that the peer reset the connection and why.
func (e *ResetError) Error() string {
	if e.Text == "" {
		return "connection reset by peer"
	}
	return "connection reset by peer: " + e.Text
}

// Is makes e match the errors that mean a reset.
func (e *ResetError) Is(target error) bool { return isReset(target) }

// brokenError is what a connection fails with when this end had to give it up,
// or its stream ended under it. To its user it was reset.
type brokenError struct{ cause error }

func (e *brokenError) Error() string { return fmt.Sprintf("connection lost: %v", e.cause) }

func (e *brokenError) Unwrap() error { return e.cause }

// Is makes e match the errors that mean a reset.
func (e *brokenError) Is(target error) bool { return isReset(target) }

func isReset(target error) bool {
	return target == dialer.ErrReset || target == error(syscall.ECONNRESET)
}

// broken wraps the reason why a stream ended. A cause of net.ErrClosed would say
// that the user had closed the connection.
func broken(cause error) error {
	if cause == nil || errors.Is(cause, net.ErrClosed) {
		cause = errors.New("the tunnel was closed")
	}
	return &brokenError{cause: cause}
}
