//go:build !linux

package konnectivity

import (
	"net"
	"time"
)

// awaitTaken does nothing: elsewhere there is no way to know.
func awaitTaken(net.Conn, time.Time) {}
