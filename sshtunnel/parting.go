package sshtunnel

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/sallyport/sallyport/dialer"
)

// parting is what a server says when it disconnects.
type parting struct {
	reason  uint64
	message string // printable
}

// Reasons of RFC 4253 that are about who the client is.
const (
	noMoreAuthMethods = 14
	illegalUserName   = 15
)

// partingOf finds the words of a server that has disconnected, for which package ssh
// has a type that nobody else can name.
func partingOf(err error) (p parting, ok bool) {
	for ; err != nil; err = errors.Unwrap(err) {
		text, is := strings.CutPrefix(err.Error(), "ssh: disconnect, reason ")
		if !is {
			continue
		}
		number, quoted, _ := strings.Cut(text, ": ")
		message, bad := strconv.Unquote(quoted)
		if bad != nil {
			message = quoted
		}
		p.message = printable(message)
		p.reason, bad = strconv.ParseUint(number, 10, 32)
		return p, bad == nil
	}
	return parting{}, false
}

// refuses reports whether the server left because of who the client is, and not for
// a reason of its own. OpenSSH and others that have seen enough keys call it an error
// of protocol and tell what they mean in words.
func (p parting) refuses() bool {
	return p.reason == noMoreAuthMethods || p.reason == illegalUserName ||
		strings.Contains(strings.ToLower(p.message), "too many authentication")
}

// refusedClient reports whether a handshake ended because the server, which has
// proved itself, does not let the client in, and in which words besides.
func refusedClient(err error) (words string, is bool) {
	if p, ok := partingOf(err); ok {
		return p.message, p.refuses()
	}
	// Package ssh gives no types for these, and puts its own words first.
	text := err.Error()
	if inner := errors.Unwrap(err); inner != nil {
		text = inner.Error()
	}
	return "", strings.HasPrefix(text, "ssh: unable to authenticate,") ||
		strings.HasPrefix(text, "ssh: no common public key signature algorithm,")
}

// hungUp is the error of a server that ended the connection, with or without words,
// and nil of anything else.
func hungUp(err error) error {
	if p, ok := partingOf(err); ok {
		return fmt.Errorf("the server hung up during the handshake, reason %d, %q: %w", p.reason, p.message, dialer.ErrReset)
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the server hung up during the handshake: %w", dialer.ErrReset)
	}
	return nil
}
