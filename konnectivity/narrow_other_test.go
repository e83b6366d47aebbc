//go:build !linux

package konnectivity

import (
	"net"
	"testing"
)

// narrowTarget is a target; how to keep its sockets from taking much is not known
// here.
func narrowTarget(t testing.TB, serve func(net.Conn)) string {
	t.Helper()
	return target(t, serve)
}
