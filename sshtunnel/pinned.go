package sshtunnel

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"
)

// pinned is HostKeys that know the same of every host.
type pinned struct {
	trust trust
	wrong error // why it cannot be used
}

// PinnedKeys returns HostKeys of a server that must show one of keys. A key that
// is pinned is taken by itself; to trust what it signs, see [HostCertificates].
// Without keys [New] fails.
func PinnedKeys(keys ...ssh.PublicKey) HostKeys {
	known, err := knownKeys(keys, false)
	return &pinned{trust: trust{keys: known}, wrong: err}
}

// HostCertificates returns HostKeys of servers that show a host certificate
// signed by one of authorities, valid now and for the host of the address. An
// IP address must be in the certificate in its shortest form. Without
// authorities [New] fails.
func HostCertificates(authorities ...ssh.PublicKey) HostKeys {
	known, err := knownKeys(authorities, true)
	return &pinned{trust: trust{authorities: known}, wrong: err}
}

// ParsePinnedKeys returns [PinnedKeys] of text, one or more lines each of which
// is a public key as in a .pub file, "ssh-ed25519 AAAA... comment", or a
// fingerprint as ssh-keygen -l shows it, "SHA256:...". Before a fingerprint may
// stand the type of the key, which lets a server with several keys show the
// right one. Blank lines and lines that begin with # are skipped.
func ParsePinnedKeys(text string) (HostKeys, error) {
	p := new(pinned)
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := parsePinned(line)
		if err != nil {
			return nil, fmt.Errorf("sshtunnel: pinned keys: line %d: %w", i+1, err)
		}
		p.trust.keys = append(p.trust.keys, key)
	}
	if len(p.trust.keys) == 0 {
		return nil, errors.New("sshtunnel: pinned keys: there is none")
	}
	return p, nil
}

// Verify checks key as [HostKeys] says.
func (p *pinned) Verify(address string, _ net.Addr, key ssh.PublicKey) error {
	return p.trust.verify(address, key)
}

// Algorithms returns those of the pinned keys.
func (p *pinned) Algorithms(string) []string { return p.trust.algorithms() }

func (p *pinned) known(string) []KnownKey { return p.trust.known() }

func (p *pinned) check() error { return p.wrong }

// knownKeys returns keys by their fingerprints.
func knownKeys(keys []ssh.PublicKey, authority bool) ([]KnownKey, error) {
	var known []KnownKey
	for i, key := range keys {
		if key == nil {
			return nil, fmt.Errorf("key %d is nil", i+1)
		}
		if _, ok := key.(*ssh.Certificate); ok {
			return nil, fmt.Errorf("key %d is a certificate: want the public key of the server, or that of who signs", i+1)
		}
		known = append(known, known1(key, authority))
	}
	if len(known) == 0 {
		return nil, errors.New("holds no key")
	}
	return known, nil
}

func known1(key ssh.PublicKey, authority bool) KnownKey {
	return KnownKey{Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), Authority: authority}
}

// parsePinned parses a line that is not blank.
func parsePinned(line string) (KnownKey, error) {
	fields := strings.Fields(line)
	print, kind := fields[0], ""
	if len(fields) > 1 && !isFingerprint(print) {
		print, kind = fields[1], fields[0]
	}
	if isFingerprint(print) {
		return parseFingerprint(kind, print)
	}
	key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return KnownKey{}, errors.New("neither a public key nor a fingerprint of the form SHA256:BASE64")
	}
	if _, ok := key.(*ssh.Certificate); ok || len(options) > 0 {
		return KnownKey{}, errors.New("want a plain public key, no certificate and no options")
	}
	return known1(key, false), nil
}

const fingerprintPrefix = "SHA256:"

func isFingerprint(s string) bool { return strings.HasPrefix(s, fingerprintPrefix) }

func parseFingerprint(kind, print string) (KnownKey, error) {
	sum := strings.TrimRight(strings.TrimPrefix(print, fingerprintPrefix), "=")
	if raw, err := base64.RawStdEncoding.Strict().DecodeString(sum); err != nil || len(raw) != 32 {
		return KnownKey{}, fmt.Errorf("%q is no SHA-256 fingerprint", print)
	}
	if kind != "" && !knownType(kind) {
		return KnownKey{}, fmt.Errorf("%q is no type of host key", kind)
	}
	return KnownKey{Type: kind, Fingerprint: fingerprintPrefix + sum}, nil
}

// knownType reports whether a server can show a key of that type.
func knownType(kind string) bool {
	switch kind {
	case ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSA:
		return true
	}
	return false
}
