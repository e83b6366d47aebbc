package sshtunnel

import (
	"context"
	"errors"
	"syscall"

	"github.com/sallyport/sallyport/dialer"
)

// wayError is a failure on the way to the server that would pass for a word about
// the destination, or about the caller. It is neither denied nor canceled: whatever
// was forbidden or given up, nobody has been asked for the destination yet, and
// another route may be tried.
type wayError struct{ err error }

// onTheWay returns err, of what comes before a dial through the server, without a
// kind that is not for it.
func onTheWay(err error) error {
	switch dialer.KindOf(err) {
	case dialer.Denied, dialer.Canceled:
		return &wayError{err}
	}
	return err
}

func (e *wayError) Error() string { return e.err.Error() }

// Is finds the cause, but not what [dialer.KindOf] tells the kind by.
func (e *wayError) Is(target error) bool {
	switch target {
	case dialer.ErrDenied, syscall.EACCES, syscall.EPERM, context.Canceled:
		return false
	}
	return errors.Is(e.err, target)
}

// As finds what says more, such as an [*OpenError], but not what has the kind.
func (e *wayError) As(target any) bool {
	switch target.(type) {
	case **dialer.Error, **dialer.RemoteError:
		return false
	}
	return errors.As(e.err, target)
}
