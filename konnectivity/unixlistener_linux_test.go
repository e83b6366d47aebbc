package konnectivity

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestUnixModeFromTheStart: the file is never open to more than was asked for,
// whatever the umask lets through.
func TestUnixModeFromTheStart(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "s")
	var born fs.FileMode
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error { return presetMode(c, 0o700) }}
	ln, err := lc.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if born = info.Mode().Perm(); born != 0o700 {
		t.Errorf("before anybody set its mode the socket has %v", born)
	}
}
