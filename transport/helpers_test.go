package transport_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Tick moves past one recheck interval.
func (c *clock) Tick() { c.Move(transport.DefaultRecheck) }

func (c *clock) Move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// journal collects what FileOptions report.
type journal struct {
	mu       sync.Mutex
	log      bytes.Buffer
	reloaded []string
	failed   []string
	errs     []error
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.Write(p)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.log.String()
}

func (j *journal) counts() (reloaded, failed int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.reloaded), len(j.failed)
}

func (j *journal) options(c *clock) transport.FileOptions {
	return transport.FileOptions{
		Now: c.Now,
		Log: slog.New(slog.NewTextHandler(j, nil)),
		Trace: &transport.FileTrace{
			Reloaded: func(file string) {
				j.mu.Lock()
				defer j.mu.Unlock()
				j.reloaded = append(j.reloaded, file)
			},
			ReloadFailed: func(file string, err error) {
				j.mu.Lock()
				defer j.mu.Unlock()
				j.failed, j.errs = append(j.failed, file), append(j.errs, err)
			},
		},
	}
}

func wantCounts(t *testing.T, j *journal, reloaded, failed int) {
	t.Helper()
	if r, f := j.counts(); r != reloaded || f != failed {
		t.Errorf("reported %d reloads and %d failures, want %d and %d\n%s", r, f, reloaded, failed, j.text())
	}
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := testpki.WriteFile(file, data); err != nil {
		t.Fatal(err)
	}
}

// volume is a directory that is swapped whole, as Kubernetes mounts secrets.
type volume struct {
	dir string
	n   int
}

// put makes files the content of the volume by one swap of its "..data" link.
func (v *volume) put(t *testing.T, files map[string][]byte) {
	t.Helper()
	v.n++
	data := "..v" + string(rune('0'+v.n))
	if err := os.Mkdir(filepath.Join(v.dir, data), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(v.dir, data, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		link := filepath.Join(v.dir, name)
		if _, err := os.Lstat(link); err != nil {
			if err := os.Symlink(filepath.Join("..data", name), link); err != nil {
				t.Fatal(err)
			}
		}
	}
	tmp := filepath.Join(v.dir, "..data_tmp")
	if err := os.Symlink(data, tmp); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(v.dir, "..data")); err != nil {
		t.Fatal(err)
	}
}

// echoServer serves TLS on loopback, echoing, until the test ends.
func echoServer(t *testing.T, cfg *tls.Config) (address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveEcho(t, ln, cfg)
	return ln.Addr().String()
}

func serveEcho(t *testing.T, ln net.Listener, cfg *tls.Config) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			raw, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				stop := context.AfterFunc(ctx, func() { raw.Close() })
				defer stop()
				defer raw.Close()
				c := tls.Server(raw, cfg)
				if c.Handshake() == nil {
					io.Copy(c, c)
					c.CloseWrite()
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		cancel()
		wg.Wait()
	})
}

// toAddress is a Config.Address that maps all to one address.
func toAddress(address string) func(context.Context, string) (string, error) {
	return func(context.Context, string) (string, error) { return address, nil }
}

func mustDialer(t *testing.T, cfg transport.Config) *transport.Dialer {
	t.Helper()
	if cfg.Dialer == nil {
		cfg.Dialer = new(net.Dialer)
	}
	d, err := transport.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// echo sends a word through c and expects it back.
func echo(t *testing.T, c net.Conn) {
	t.Helper()
	if err := tryEcho(c); err != nil {
		t.Fatalf("echo: %v", err)
	}
}

func tryEcho(c net.Conn) error {
	c.SetDeadline(time.Now().Add(10 * time.Second))
	defer c.SetDeadline(time.Time{})
	if _, err := c.Write([]byte("word")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 4))
	return err
}

// dialEcho dials and uses the connection once.
func dialEcho(t *testing.T, d dialer.Dialer, address string) {
	t.Helper()
	c, err := d.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatalf("dial %s: %v", address, err)
	}
	defer c.Close()
	echo(t, c)
}

// refused dials and expects an error of the given hop.
func refused(t *testing.T, d dialer.Dialer, address, hop string) error {
	t.Helper()
	c, err := d.DialContext(t.Context(), "tcp", address)
	if err == nil {
		c.Close()
		t.Fatalf("dial %s succeeded, want an error at %s", address, hop)
	}
	de, ok := err.(*dialer.Error)
	if !ok || !de.At(hop) {
		t.Fatalf("dial %s: %T %v, want a *dialer.Error at %s", address, err, err, hop)
	}
	if c != nil {
		t.Errorf("dial %s returned a conn beside its error", address)
	}
	return err
}
