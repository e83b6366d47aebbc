package dialer

import (
	"context"
	"net"
	"os"
	"syscall"
)

// RemoteError is a failure that happened at the far end of a tunnel and arrived
// as a kind and a text. errors.Is recognises it as the local error of the same
// kind: a remote Refused is syscall.ECONNREFUSED, a remote Timeout is
// os.ErrDeadlineExceeded and context.DeadlineExceeded.
type RemoteError struct {
	Kind Kind
	// Text is what the far end said, for people. It may be empty.
	Text string
}

// Error returns the text, or the kind's name where there is none.
func (e *RemoteError) Error() string {
	if e.Text == "" {
		return e.Kind.String()
	}
	return e.Text
}

// Timeout reports whether the far end ran out of time.
func (e *RemoteError) Timeout() bool { return e.Kind == Timeout }

// Temporary is part of net.Error; it means the same as Timeout here.
func (e *RemoteError) Temporary() bool { return e.Timeout() }

// Is matches the sentinel of e's kind and the local errors that mean the same.
func (e *RemoteError) Is(target error) bool {
	if target == nil {
		return false
	}
	if target == e.Kind.Err() {
		return true
	}
	switch e.Kind {
	case Refused:
		return target == syscall.ECONNREFUSED
	case Reset:
		return target == syscall.ECONNRESET
	case Timeout:
		return target == os.ErrDeadlineExceeded || target == context.DeadlineExceeded
	case Unreachable:
		return target == syscall.EHOSTUNREACH
	case Denied:
		return target == os.ErrPermission
	}
	return false
}

// As lets errors.As find a *net.DNSError in a remote NoSuchHost, for callers
// that know only the standard library's way to ask.
func (e *RemoteError) As(target any) bool {
	dns, ok := target.(**net.DNSError)
	if !ok || e.Kind != NoSuchHost {
		return false
	}
	*dns = &net.DNSError{Err: e.Error(), IsNotFound: true}
	return true
}

var _ net.Error = (*RemoteError)(nil)
