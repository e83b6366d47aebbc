package sshtunnel

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/reload"
)

// maxKnownHosts bounds each known_hosts file.
const maxKnownHosts = 4 << 20

var errNoHostKey = errors.New("holds no host key")

// KnownHosts is a set of known_hosts files that is followed. It implements
// [HostKeys], starts no goroutine and needs no Close. It is safe for concurrent
// use.
//
// Lines are read as sshd(8) has them: patterns with * and ? and !, hashed names,
// [host]:port where the port is not 22, @cert-authority and @revoked. Some of it
// is stricter than with OpenSSH:
//
//   - A key that is known for port 22 is not taken on another port.
//   - A key that is revoked for one host is revoked for all, and so is what a
//     revoked authority has signed.
//   - A line that is damaged makes the file unusable. Skipping it could skip a
//     revocation. A line with a type of key that is not supported is skipped: no
//     server can prove itself with it.
type KnownHosts struct {
	files *reload.Value[*knownFile]
}

// NewKnownHosts reads files, which together must hold at least one key that is
// not revoked; each may have at most 4 MiB. The error names the file and the
// line. The files are followed as opts says: changes count at the next handshake,
// and what is then damaged or empty is not used and keeps the last good content.
// Revocations alone are not empty: nobody is trusted then.
func NewKnownHosts(files []string, opts FileOptions) (*KnownHosts, error) {
	if len(files) == 0 {
		return nil, errors.New("sshtunnel: known_hosts: no file is named")
	}
	files = slices.Clone(files)
	parse := func(data [][]byte) (*knownFile, error) { return parseKnownHosts(files, data) }
	v, err := reload.New(files, maxKnownHosts, parse, opts)
	if err != nil {
		return nil, fmt.Errorf("sshtunnel: known_hosts: %w", err)
	}
	if len(v.Get().lines) == 0 {
		return nil, fmt.Errorf("sshtunnel: known_hosts: %w", &FileError{File: files[0], Err: errNoHostKey})
	}
	return &KnownHosts{files: v}, nil
}

// Verify checks key as [HostKeys] says. It goes by address alone, never by
// remote.
func (k *KnownHosts) Verify(address string, _ net.Addr, key ssh.PublicKey) error {
	t, err := k.trust(address)
	if err != nil {
		return err
	}
	return t.verify(address, key)
}

// Algorithms returns those of the keys known for address.
func (k *KnownHosts) Algorithms(address string) []string {
	t, err := k.trust(address)
	if err != nil {
		return nil
	}
	return t.algorithms()
}

func (k *KnownHosts) known(address string) []KnownKey {
	t, err := k.trust(address)
	if err != nil {
		return nil
	}
	return t.known()
}

func (k *KnownHosts) trust(address string) (trust, error) {
	if err := k.check(); err != nil {
		return trust{}, err
	}
	names, err := knownNames(address)
	if err != nil {
		return trust{}, err
	}
	return k.files.Get().trust(names), nil
}

// check finds the KnownHosts that NewKnownHosts has not made.
func (k *KnownHosts) check() error {
	if k == nil || k.files == nil {
		return errors.New("sshtunnel: this KnownHosts was not made by NewKnownHosts")
	}
	return nil
}

// knownFile is what known_hosts files hold.
type knownFile struct {
	lines   []knownLine
	revoked map[string]KnownKey
}

// knownLine is a key with the hosts it is for.
type knownLine struct {
	hosts hostMatcher
	key   KnownKey
}

// trust returns what is known of the host that has names.
func (f *knownFile) trust(names []string) trust {
	t := trust{revoked: f.revoked}
	for _, l := range f.lines {
		switch {
		case !l.hosts.match(names):
		case l.key.Authority:
			t.authorities = append(t.authorities, l.key)
		default:
			t.keys = append(t.keys, l.key)
		}
	}
	return t
}
