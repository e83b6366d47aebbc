package reload

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/files"
)

// text makes a Value of one file's text that calls parse for each new one.
func text(t *testing.T, file string, parse func(string) (string, error), opts files.Options) *Value[string] {
	t.Helper()
	r, err := New([]string{file}, 1<<10, func(data [][]byte) (string, error) { return parse(string(data[0])) }, opts)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func put(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReloadWaitsForNoReader(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	put(t, file, "old")
	var now atomic.Int64
	entered, release := make(chan struct{}), make(chan struct{})
	var parsed atomic.Int32
	r := text(t, file, func(s string) (string, error) {
		parsed.Add(1)
		if s == "new" {
			close(entered) // a second close would panic: only one may read
			<-release
		}
		return s, nil
	}, files.Options{Now: func() time.Time { return time.Unix(now.Load(), 0) }})

	put(t, file, "new")
	now.Add(1)
	var wg sync.WaitGroup
	wg.Go(func() {
		if got := r.Get(); got != "new" {
			t.Errorf("the reading goroutine got %q, want new", got)
		}
	})
	<-entered
	// The reader is stuck in its file; everybody else goes on with the old.
	for range 100 {
		if got := r.Get(); got != "old" {
			t.Errorf("got %q while another reads, want old", got)
		}
	}
	close(release)
	wg.Wait()
	if got := r.Get(); got != "new" || parsed.Load() != 2 {
		t.Errorf("got %q after %d parses, want new after 2", got, parsed.Load())
	}
}

func TestReloadStorm(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	put(t, file, "old")
	var now, parsed atomic.Int64
	r := text(t, file, func(s string) (string, error) { parsed.Add(1); return s, nil },
		files.Options{Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	put(t, file, "new")
	now.Add(1)
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			for range 200 {
				r.Get()
			}
		})
	}
	wg.Wait()
	if parsed.Load() != 2 || r.Get() != "new" {
		t.Errorf("%d parses and %q, want 2 and new", parsed.Load(), r.Get())
	}
}

func TestReloadOncePerInterval(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	put(t, file, "old")
	var now atomic.Int64
	keep := func(s string) (string, error) { return s, nil }
	r := text(t, file, keep, files.Options{Recheck: 5 * time.Second, Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	put(t, file, "new")
	now.Add(4)
	if got := r.Get(); got != "old" {
		t.Errorf("within the interval: %q, want old", got)
	}
	now.Add(1)
	if got := r.Get(); got != "new" {
		t.Errorf("after the interval: %q, want new", got)
	}
	put(t, file, "newer")
	now.Add(-3600) // the clock was set back
	if got := r.Get(); got != "newer" {
		t.Errorf("after the clock was set back: %q, want newer", got)
	}

	always := text(t, file, keep, files.Options{Recheck: -1, Now: func() time.Time { return time.Unix(0, 0) }})
	put(t, file, "newest")
	if got := always.Get(); got != "newest" {
		t.Errorf("with a negative interval: %q, want newest", got)
	}
}

func TestReloadSeesSameSizeAndTime(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	put(t, file, "aaaa")
	stamp := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, stamp, stamp); err != nil {
		t.Fatal(err)
	}
	r := text(t, file, func(s string) (string, error) { return s, nil }, files.Options{Recheck: -1})
	put(t, file, "bbbb")
	if err := os.Chtimes(file, stamp, stamp); err != nil {
		t.Fatal(err)
	}
	if got := r.Get(); got != "bbbb" {
		t.Errorf("got %q, want bbbb", got)
	}
}

// TestReloadSeesNoHalfSwap scripts a swap of two files that falls between the
// reading of the first and of the second.
func TestReloadSeesNoHalfSwap(t *testing.T) {
	of := func(parts ...string) contents {
		var c contents
		for _, p := range parts {
			c.data = append(c.data, []byte(p))
			c.sums = append(c.sums, sha256.Sum256([]byte(p)))
		}
		return c
	}
	file := filepath.Join(t.TempDir(), "f")
	put(t, file, "cert 1")
	r := text(t, file, func(s string) (string, error) { return s, nil }, files.Options{Recheck: -1})
	looks := []contents{of("cert 1", "key 2"), of("cert 2", "key 2"), of("cert 2", "key 2")}
	r.load = func() (contents, error) {
		c := looks[0]
		looks = looks[1:]
		return c, nil
	}
	r.parse = func(data [][]byte) (string, error) {
		if data[0][5] != data[1][4] {
			t.Errorf("parsed %q with %q", data[0], data[1])
		}
		return string(data[0]), nil
	}
	if got := r.Get(); got != "cert 2" || len(looks) != 0 {
		t.Errorf("got %q with %d looks left, want cert 2 and none", got, len(looks))
	}
}

func TestReadFileBounds(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "f")
	put(t, file, "12345")
	if _, err := readFile(file, 5); err != nil {
		t.Errorf("a file of the limit: %v", err)
	}
	if _, err := readFile(file, 4); err == nil {
		t.Error("a file over the limit was read")
	}
	// What holds for a directory holds for a FIFO, which could be opened and
	// would keep the handshake waiting for its writer.
	if _, err := readFile(dir, 4); err == nil || err.Error() != "not a regular file" {
		t.Errorf("a directory: %v, want it refused before it is opened", err)
	}
}
