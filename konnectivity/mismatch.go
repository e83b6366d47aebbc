package konnectivity

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/sallyport/sallyport/dialer"
)

// noALPN is the text of the alert by which a server says that it speaks nothing
// of what was offered. Its type is crypto/tls's own.
const noALPN = "tls: no application protocol"

// noCommonProtocol explains a handshake that failed for what is spoken at the
// other end: the wrong port, most often. hint is what else it may be.
func noCommonProtocol(err error, offers []string, hint string) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" && op.Err.Error() == noALPN {
		return fmt.Errorf("no protocol in common: we offer %q; %s: %w", offers, hint, err)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("not a TLS port: %w", err)
	}
	return err
}

// noHTTP explains the end of a connection that was asked in HTTP.
func noHTTP(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || dialer.KindOf(err) == dialer.Reset {
		return fmt.Errorf("the server hung up without an answer; does it speak gRPC? %w", err)
	}
	return err
}

// shortDial is a failed dial in an error that has told the address already.
type shortDial struct{ op *net.OpError }

func (e *shortDial) Error() string { return e.op.Err.Error() }

// Unwrap returns the error of the dial.
func (e *shortDial) Unwrap() error { return e.op }

// withoutRoad returns err, which goes into an error that names address, with its
// own mention of it left out.
func withoutRoad(err error, address string) error {
	op, ok := err.(*net.OpError)
	if !ok || op.Op != "dial" || op.Err == nil || op.Addr == nil || op.Addr.String() != address {
		return err
	}
	return &shortDial{op}
}
