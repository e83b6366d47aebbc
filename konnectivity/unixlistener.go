package konnectivity

import (
	"errors"
	"io/fs"
	"net"
)

// DefaultUnixMode lets the owner and the group of a socket's file connect, and
// nobody else.
const DefaultUnixMode fs.FileMode = 0o770

// UnixOptions says how [ListenUnix] makes its socket. The zero value is ready to
// use.
type UnixOptions struct {
	// Mode is the permissions of the socket's file, which are all that guards it:
	// who may write to it may connect. Zero means DefaultUnixMode.
	Mode fs.FileMode
	// RemoveExisting takes the place of a socket that somebody still serves. What
	// is not a socket is never removed.
	RemoveExisting bool
}

// ListenUnix listens on a unix socket at path. A socket that nobody serves any
// more is removed first. One that answers is an error, unless
// UnixOptions.RemoveExisting says otherwise, and anything but a socket always
// is. Close removes the file, if it is still this listener's.
func ListenUnix(path string, o UnixOptions) (net.Listener, error) {
	return nil, errors.ErrUnsupported
}
