package sshtunnel

import (
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
)

// KnownKey is a key that a server was expected to show.
type KnownKey struct {
	// Type is the type of the key, such as "ssh-ed25519". It is empty where only
	// the fingerprint is known.
	Type string
	// Fingerprint is the key's, "SHA256:...".
	Fingerprint string
	// Authority tells that the key signs host certificates.
	Authority bool
	// File and Line are where it is written, empty and zero where it is not.
	File string
	Line int
}

// String returns the key's type, fingerprint and place.
func (k KnownKey) String() string {
	s := k.Fingerprint
	if k.Type != "" {
		s = k.Type + " " + s
	}
	if k.Authority {
		s = "a certificate by " + s
	}
	if k.File != "" {
		s += " (" + k.File + ":" + strconv.Itoa(k.Line) + ")"
	}
	return s
}

// HostKeyReason is why a host key was refused.
type HostKeyReason uint8

// The reasons.
const (
	UnknownHost    HostKeyReason = iota + 1 // nothing is known about the server
	ChangedKey                              // the server has shown another key than those known
	RevokedKey                              // the key, or what signed it, is revoked
	BadCertificate                          // a certificate of an authority that is not valid here and now
)

// HostKeyError is a server's key that was refused.
type HostKeyError struct {
	// Address is the server's, as in Config.Address.
	Address string
	Reason  HostKeyReason
	// Shown is the key that the server has shown.
	Shown ssh.PublicKey
	// Expected are the keys that would have done, or the one that is revoked.
	Expected []KnownKey
	// Err says more about a certificate, and is nil otherwise.
	Err error
}

// Error names the key that was shown and those that were expected.
func (e *HostKeyError) Error() string {
	shown := "host key of " + e.Address + " refused: the server shows " + describe(e.Shown)
	switch e.Reason {
	case UnknownHost:
		return shown + ", and no key is known for it"
	case RevokedKey:
		return shown + ", and this is revoked: " + list(e.Expected)
	case BadCertificate:
		return fmt.Sprintf("%s, which is not valid: %v", shown, e.Err)
	}
	return shown + ", expected " + list(e.Expected)
}

// Unwrap returns Err.
func (e *HostKeyError) Unwrap() error { return e.Err }

// describe returns the type and fingerprint of a key, of a certificate those of
// the certified key and of who signed it.
func describe(key ssh.PublicKey) string {
	switch k := key.(type) {
	case nil:
		return "no key"
	case *ssh.Certificate:
		return fmt.Sprintf("a certificate for %s by %s", describe(k.Key), describe(k.SignatureKey))
	}
	return key.Type() + " " + ssh.FingerprintSHA256(key)
}

// mostListed bounds how many keys an error names.
const mostListed = 8

func list(keys []KnownKey) string {
	var b strings.Builder
	for i, k := range keys {
		switch {
		case i == mostListed:
			fmt.Fprintf(&b, " or one of %d more", len(keys)-i)
			return b.String()
		case i > 0:
			b.WriteString(" or ")
		}
		b.WriteString(k.String())
	}
	return b.String()
}
