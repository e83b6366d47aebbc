package konnectivity

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func listenUnix(t *testing.T, path string, o UnixOptions) net.Listener {
	t.Helper()
	ln, err := ListenUnix(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func TestUnixMode(t *testing.T) {
	for _, tt := range []struct{ asked, want fs.FileMode }{
		{0, 0o770}, {0o600, 0o600}, {0o666, 0o666},
	} {
		path := filepath.Join(t.TempDir(), "s")
		ln := listenUnix(t, path, UnixOptions{Mode: tt.asked})
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != tt.want|fs.ModeSocket {
			t.Errorf("mode %v asked: %v, %v; want %v", tt.asked, info.Mode(), err, tt.want)
		}
		if ln.Addr().Network() != "unix" || ln.Addr().String() != path {
			t.Errorf("the address is %v", ln.Addr())
		}
	}
}

func TestUnixStaleSocketIsRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Fatal("there is no stale socket to begin with")
	}
	listenUnix(t, path, UnixOptions{})
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestUnixLiveSocketIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	live := listenUnix(t, path, UnixOptions{})
	if _, err := ListenUnix(path, UnixOptions{}); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), path) {
		t.Errorf("beside a live socket: %v", err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the live socket is gone: %v", err)
	}
	c.Close()

	// The successor takes the path, and the predecessor's Close leaves it alone.
	listenUnix(t, path, UnixOptions{RemoveExisting: true})
	live.Close()
	if c, err = net.Dial("unix", path); err != nil {
		t.Fatalf("the successor's socket is gone: %v", err)
	}
	c.Close()
}

func TestUnixCloseRemovesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	ln := listenUnix(t, path, UnixOptions{})
	ln.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
	if err := ln.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a second Close: %v", err)
	}
}

func TestUnixRefused(t *testing.T) {
	dir := t.TempDir()
	file, link, sub := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "sub")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	live := filepath.Join(dir, "live")
	listenUnix(t, live, UnixOptions{})
	if err := os.Symlink(live, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, o := range []UnixOptions{{}, {RemoveExisting: true}, {Mode: fs.ModeSetuid | 0o700}} {
		for _, path := range []string{file, link, sub, "", "@abstract", "\x00abstract", "unix://" + live, filepath.Join(dir, "none", "s")} {
			if ln, err := ListenUnix(path, o); err == nil {
				ln.Close()
				t.Errorf("%+v: %q is listened on", o, path)
			}
		}
	}
	if b, err := os.ReadFile(file); string(b) != "precious" || err != nil {
		t.Errorf("the regular file: %q, %v", b, err)
	}
	for _, path := range []string{link, sub, live} {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("removed: %v", err)
		}
	}
}
