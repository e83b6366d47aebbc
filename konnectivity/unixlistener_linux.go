package konnectivity

import (
	"io/fs"
	"syscall"
)

// presetMode gives a socket that is not bound yet the mode its file will have,
// less the umask.
func presetMode(c syscall.RawConn, mode fs.FileMode) (err error) {
	if e := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), uint32(mode.Perm())) }); e != nil {
		return e
	}
	return err
}
