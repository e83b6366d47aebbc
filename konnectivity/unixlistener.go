package konnectivity

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
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
//
// Names of the abstract kind, which begin with "@", are refused: they have no
// permissions.
func ListenUnix(path string, o UnixOptions) (net.Listener, error) {
	mode := o.Mode
	if mode == 0 {
		mode = DefaultUnixMode
	}
	switch {
	case path == "":
		return nil, unixError(path, errors.New("want the path of a socket"))
	case mode&^fs.ModePerm != 0:
		return nil, unixError(path, fmt.Errorf("UnixOptions.Mode is %v: want permissions alone", mode))
	case strings.HasPrefix(path, "@") || strings.ContainsRune(path, 0):
		return nil, unixError(path, errors.New("an abstract socket has no permissions: want the path of a file"))
	case strings.HasPrefix(path, "unix:"):
		return nil, unixError(path, errors.New("want a path, not a URL"))
	}
	if err := makeRoom(path, o.RemoveExisting); err != nil {
		return nil, unixError(path, err)
	}
	ln, err := listenWithMode(path, mode)
	if err != nil {
		return nil, unixError(path, err)
	}
	return ln, nil
}

func unixError(path string, err error) error {
	return fmt.Errorf("konnectivity: unix socket %q: %w", path, err)
}

// makeRoom removes what may be removed from path.
func makeRoom(path string, evenLive bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("there is a file that is no socket (%v): it is not removed", info.Mode())
	case evenLive:
		return os.Remove(path)
	}
	if err := checkStale(path); err != nil {
		return err
	}
	return os.Remove(path)
}

// staleTimeout bounds the look whether a socket is served. A unix socket answers
// at once or its backlog is full.
const staleTimeout = time.Second

// checkStale returns nil if nobody serves the socket at path, as only a refusal
// tells.
func checkStale(path string) error {
	c, err := net.DialTimeout("unix", path, staleTimeout)
	switch {
	case err == nil:
		c.Close()
		return fmt.Errorf("%w: somebody serves it", syscall.EADDRINUSE)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil
	}
	return fmt.Errorf("it is there, and whether somebody serves it cannot be told: %w", err)
}

// listenWithMode makes the socket. It never stands with wider permissions than
// mode, not for a moment, where the system takes them before the file is made;
// where it does not, the umask guards it until the mode is set.
func listenWithMode(path string, mode fs.FileMode) (net.Listener, error) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return presetMode(c, mode) }}
	ln, err := lc.Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, err
	}
	u, ok := ln.(*net.UnixListener)
	if !ok {
		ln.Close()
		return nil, fmt.Errorf("the listener is a %T", ln)
	}
	err = os.Chmod(path, mode)
	if err != nil {
		u.Close()
		return nil, err
	}
	file, err := os.Lstat(path)
	if err != nil {
		u.Close()
		return nil, err
	}
	// By itself the listener would remove whatever has the path when it closes,
	// the socket of a successor included.
	u.SetUnlinkOnClose(false)
	return &unixListener{UnixListener: u, path: path, file: file}, nil
}

// unixListener removes its file with Close, if the file is still its own.
type unixListener struct {
	*net.UnixListener
	path string
	file fs.FileInfo
	once sync.Once
}

// Close stops listening and removes the file.
func (l *unixListener) Close() error {
	l.once.Do(func() {
		if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.file) {
			os.Remove(l.path)
		}
	})
	return l.UnixListener.Close()
}
