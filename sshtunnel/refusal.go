package sshtunnel

import (
	"cmp"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/upstream"
)

// refusal returns the error of an open that the server has answered, and the hop
// that broke: the target's where the server has tried to connect, otherwise its
// own.
func refusal(server string, t target, err *ssh.OpenChannelError) *dialer.Error {
	e := &OpenError{Reason: err.Reason, Message: printable(err.Message)}
	e.remote.Text = err.Reason.String()
	if e.Message != "" {
		e.remote.Text += ": " + e.Message
	}
	hop := dialer.HopSSH + " " + server
	switch err.Reason {
	case ssh.Prohibited:
		e.remote.Kind = dialer.Denied
		e.remote.Text = "denied by the server: " + e.remote.Text
	case ssh.ConnectionFailed:
		hop = dialer.HopTarget
		e.remote.Kind = kindOfWords(e.Message)
		if e.remote.Kind == dialer.Other && t.isUnix() {
			// OpenSSH says no more, whether there is no socket, nobody listens, or
			// its own rules forbid it. None of them is a reason to go another way.
			e.remote.Kind = dialer.Refused
		}
	}
	return &dialer.Error{Hop: hop, Err: e}
}

// resolverWords are those of the C library for a name that has no address.
var resolverWords = [...]string{
	"name or service not known",
	"no address associated with hostname",
	"nodename nor servname provided",
	"name does not resolve",
	"unknown host",
}

// kindOfWords tells what failed from the words of a server's operating system,
// or of Go's net package.
func kindOfWords(text string) dialer.Kind {
	text = strings.ToLower(text)
	for _, w := range resolverWords {
		if strings.Contains(text, w) {
			return dialer.NoSuchHost
		}
	}
	kind, _ := upstream.Failure(text)
	return cmp.Or(kind, dialer.Other)
}

// maxMessage bounds what is kept of a server's words.
const maxMessage = 256

// printable returns the words of a server so that they can stand in a log.
func printable(s string) string {
	if len(s) > maxMessage {
		s = s[:maxMessage]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
