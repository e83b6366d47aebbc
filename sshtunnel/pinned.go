package sshtunnel

import (
	"golang.org/x/crypto/ssh"
)

// PinnedKeys returns HostKeys of a server that must show one of keys. A key that
// is pinned is taken by itself; to trust what it signs, see [HostCertificates].
// Without keys [New] fails.
func PinnedKeys(keys ...ssh.PublicKey) HostKeys { return nil }

// ParsePinnedKeys returns [PinnedKeys] of text, one or more lines each of which
// is a public key as in a .pub file, "ssh-ed25519 AAAA... comment", or a
// fingerprint as ssh-keygen -l shows it, "SHA256:...". Before a fingerprint may
// stand the type of the key, which lets a server with several keys show the
// right one. Blank lines and lines that begin with # are skipped.
func ParsePinnedKeys(text string) (HostKeys, error) { return nil, nil }
