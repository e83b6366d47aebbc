//go:build !linux

package sshtunnel

import "net"

// quickAcker does nothing where the system cannot be asked.
func quickAcker(net.Conn) func() { return func() {} }
