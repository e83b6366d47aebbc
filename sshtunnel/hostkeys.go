package sshtunnel

import (
	"net"

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

// holder is a HostKeys that can be found to be empty, or unable to tell about an
// address, before the first handshake.
type holder interface{ check() error }

// knower is a HostKeys that can tell which keys it expects at an address.
type knower interface {
	known(address string) []KnownKey
}
