//go:build !linux

package konnectivity

import "net"

// awaitTaken does nothing: elsewhere there is no way to know.
func awaitTaken(net.Conn) {}
