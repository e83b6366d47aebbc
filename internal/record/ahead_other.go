//go:build !unix

package record

import "net"

// newSource returns nil: here nothing can wait for a socket without a buffer.
func newSource(net.Conn) source { return nil }
