package mux

import (
	"errors"
	"fmt"
	"syscall"
)

// Reason travels with a reset.
type Reason uint32

// The reasons. Their values are part of the protocol.
const (
	ReasonReset    Reason = 0 // the connection behind the stream was reset
	ReasonCanceled Reason = 1 // whoever opened the stream gave up
	ReasonRefused  Reason = 2 // the stream was never accepted: nothing has been done for it
	ReasonProtocol Reason = 3 // the stream's own protocol was broken
	ReasonStalled  Reason = 4 // the consumer made no progress for too long
)

var reasons = [...]string{"reset", "canceled", "refused", "protocol error", "stalled"}

// ResetError is what a stream fails with after its peer reset it. It is
// syscall.ECONNRESET to errors.Is.
type ResetError struct{ Reason Reason }

// Error says that the peer reset the stream and why.
func (e *ResetError) Error() string {
	if int(e.Reason) < len(reasons) && e.Reason != ReasonReset {
		return "connection reset by peer: " + reasons[e.Reason]
	}
	return "connection reset by peer"
}

// Is makes e match syscall.ECONNRESET.
func (e *ResetError) Is(target error) bool { return target == syscall.ECONNRESET }

// Refused reports whether err says that the peer never took the stream, so that
// another session may be tried.
func Refused(err error) bool {
	re, ok := errors.AsType[*ResetError](err)
	return ok && re.Reason == ReasonRefused
}

// sessionError is what streams fail with when their session ends under them.
type sessionError struct{ cause error }

func (e *sessionError) Error() string { return fmt.Sprintf("tunnel lost: %v", e.cause) }

func (e *sessionError) Unwrap() error { return e.cause }

// Is makes e match syscall.ECONNRESET: to the user of a conn it was reset.
func (e *sessionError) Is(target error) bool { return target == syscall.ECONNRESET }
