package sshtunnel

import (
	"errors"

	"github.com/sallyport/sallyport/dialer"
)

// wayError is a failure on the way to the server that would pass for a word about
// the destination, or about the caller. It has no kind: whatever was forbidden or
// given up, nobody has been asked for the destination yet, and another route may
// be tried.
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

// As finds what says more, such as an [*OpenError], but not what has the kind.
func (e *wayError) As(target any) bool {
	switch target.(type) {
	case **dialer.Error, **dialer.RemoteError:
		return false
	}
	return errors.As(e.err, target)
}
