//go:build !unix

package konnectivity

import "net"

// hasEnded reports false: here a conn cannot be looked at without reading it.
func hasEnded(net.Conn) bool { return false }
