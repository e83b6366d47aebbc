package sshtunnel

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
)

var (
	// ErrClosed is the cause of the errors of a Dialer after Close.
	ErrClosed = errors.New("sshtunnel: dialer closed")
	// ErrBusy is the cause of a dial that was not tried because
	// Config.MaxConns channels are in use.
	ErrBusy = errors.New("sshtunnel: too many connections through the server")
	// ErrAuthentication is the cause of a handshake in which the server proved
	// itself and refused the client. A server that goes away meanwhile, for whatever
	// reason of its own, has not refused it.
	ErrAuthentication = errors.New("sshtunnel: the server refused the client's authentication")
	// ErrUnresponsive is why a client ended whose server gave no sign of life.
	ErrUnresponsive = errors.New("sshtunnel: the server gave no sign of life")
)

// BackoffError is the cause of a dial that was not tried because a handshake
// has just failed. It unwraps to the error of that handshake.
type BackoffError struct {
	// RetryAt is when a dial is tried again.
	RetryAt time.Time
	// Err is why the last handshake failed.
	Err error
}

// Error returns the error of the last handshake and that it was not tried again.
func (e *BackoffError) Error() string {
	return fmt.Sprintf("%v (not tried again before %s)", e.Err, e.RetryAt.Format(time.RFC3339))
}

// Unwrap returns the error of the last handshake.
func (e *BackoffError) Unwrap() error { return e.Err }

// OpenError is the server's refusal to open a channel. It unwraps to a
// [*dialer.RemoteError] of the kind that reason and message tell.
type OpenError struct {
	Reason ssh.RejectionReason
	// Message is what the server said, for people, without control characters
	// and cut at 256 bytes.
	Message string

	remote dialer.RemoteError
}

// Error returns the reason and the message.
func (e *OpenError) Error() string { return e.remote.Error() }

// Unwrap returns the failure as package dialer knows it.
func (e *OpenError) Unwrap() error { return &e.remote }
