package sshtunnel

import (
	"net"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// HostKeys decides whether a server is the one it should be. Implementations are
// safe for concurrent use.
type HostKeys interface {
	// Verify returns nil when key is one of the server at address, host:port as
	// in Config.Address. remote is the address connected to. It has the shape of
	// an ssh.HostKeyCallback. The error should be a [*HostKeyError].
	Verify(address string, remote net.Addr, key ssh.PublicKey) error
	// Algorithms returns the key algorithms that the server at address can be
	// verified by, so that a server with several keys shows a known one. None
	// means that nothing is known, and all are asked for.
	Algorithms(address string) []string
}

// KnownKey is a key that a server was expected to show.
type KnownKey struct {
	// Key is the key, or the authority where Authority is set. It is nil where
	// only the fingerprint is known.
	Key ssh.PublicKey
	// Fingerprint is that of Key, "SHA256:...".
	Fingerprint string
	// Authority tells that the key signs host certificates.
	Authority bool
	// File and Line are where it is written, empty and zero where it is not.
	File string
	Line int
}

// String returns the key's type, fingerprint and place.
func (k KnownKey) String() string {
	var b strings.Builder
	if k.Authority {
		b.WriteString("a certificate by ")
	}
	if k.Key != nil {
		b.WriteString(k.Key.Type() + " ")
	}
	b.WriteString(k.Fingerprint)
	if k.File != "" {
		b.WriteString(" (" + k.File + ":" + strconv.Itoa(k.Line) + ")")
	}
	return b.String()
}

// HostKeyReason is why a host key was refused.
type HostKeyReason uint8

// The reasons.
const (
	UnknownHost    HostKeyReason = iota + 1 // nothing is known about the server
	ChangedKey                              // the server has shown another key than those known
	RevokedKey                              // the key, or what signed it, is revoked
	BadCertificate                          // an authority's certificate that is not valid here and now
)

// HostKeyError is a server's key that was refused.
type HostKeyError struct {
	// Address is the server's, as in Config.Address.
	Address string
	Reason  HostKeyReason
	// Shown is the key that the server has shown.
	Shown ssh.PublicKey
	// Expected are the keys that would have done, or the revoked one.
	Expected []KnownKey
	// Err says more about a certificate, and is nil otherwise.
	Err error
}
