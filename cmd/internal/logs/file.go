package logs

import (
	"os"
	"sync"
)

// file is a log file that is put aside when it has grown too large.
type file struct {
	path  string
	limit int64 // 0: none

	mu   sync.Mutex
	f    *os.File
	size int64
}

func openFile(path string, limit int64) (*file, error) {
	l := &file{path: path, limit: limit}
	return l, l.open()
}

func (l *file) open() error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	l.f, l.size = f, info.Size()
	return nil
}

// Write appends one record.
func (l *file) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.limit > 0 && l.size > 0 && l.size+int64(len(p)) > l.limit {
		l.rotate()
	}
	n, err := l.f.Write(p)
	l.size += int64(n)
	return n, err
}

// rotate puts the file aside. Where that fails, as with a file that is a mount,
// it goes on growing: a log that is too long is better than none.
func (l *file) rotate() {
	if err := os.Rename(l.path, l.path+".old"); err != nil {
		return
	}
	old := l.f
	if l.open() == nil {
		old.Close()
	}
}

// Close closes the file.
func (l *file) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Close()
}
