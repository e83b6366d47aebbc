package sshtunnel

import (
	"net"

	"golang.org/x/crypto/ssh"
)

// KnownHosts is a set of known_hosts files that is followed. It implements
// [HostKeys], starts no goroutine and needs no Close.
type KnownHosts struct{}

// NewKnownHosts reads the files, which together must hold at least one key.
func NewKnownHosts(files []string, opts FileOptions) (*KnownHosts, error) { return nil, nil }

// Verify checks key as [HostKeys] says.
func (k *KnownHosts) Verify(address string, remote net.Addr, key ssh.PublicKey) error { return nil }

// Algorithms returns those of the keys known for address.
func (k *KnownHosts) Algorithms(address string) []string { return nil }
