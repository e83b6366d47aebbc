//go:build !linux

package konnectivity

import (
	"io/fs"
	"syscall"
)

// presetMode does nothing: elsewhere the mode of a socket does not become that
// of its file.
func presetMode(syscall.RawConn, fs.FileMode) error { return nil }
