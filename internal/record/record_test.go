package record

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/nettest"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/internal/testpki"
)

// sockets returns both ends of a socket of that network.
func sockets(t testing.TB, network string) (net.Conn, net.Conn) {
	t.Helper()
	return testkit.Sockets(t, network)
}

// over puts TLS between two conns, of that version.
func over(t testing.TB, a, b net.Conn, version uint16) (*TLS, *TLS) {
	t.Helper()
	ca := testpki.MustCA(t, "record")
	cert := ca.MustPair(t, testpki.Leaf{Names: []string{"record"}})
	client := tls.Client(Under(a), &tls.Config{RootCAs: ca.Pool(), ServerName: "record", MaxVersion: version})
	server := tls.Server(Under(b), &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: version})
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := errors.Join(client.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	return Over(client).(*TLS), Over(server).(*TLS)
}

// kinds are what TLS may lie on.
var kinds = map[string]func(testing.TB) (net.Conn, net.Conn){
	"tcp":  func(t testing.TB) (net.Conn, net.Conn) { return sockets(t, "tcp") },
	"unix": func(t testing.TB) (net.Conn, net.Conn) { return sockets(t, "unix") },
	"pipe": func(testing.TB) (net.Conn, net.Conn) { return net.Pipe() },
}

// TestUnder holds the conn below TLS to what any conn promises.
func TestUnder(t *testing.T) {
	for name, pair := range kinds {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				a, b := pair(t)
				return Under(a), Under(b), func() { a.Close(); b.Close() }, nil
			})
		})
	}
}

// TestBytes sends random bytes in writes of random sizes both ways at once.
func TestBytes(t *testing.T) {
	for name, pair := range kinds {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(fmt.Sprintf("%s/%s", name, tls.VersionName(version)), func(t *testing.T) {
				leak.Check(t)
				a, b := pair(t)
				x, y := over(t, a, b, version)
				var ways sync.WaitGroup
				for i, way := range [][2]*TLS{{x, y}, {y, x}} {
					rnd := rand.New(rand.NewPCG(uint64(i), 7))
					want := make([]byte, 3<<20)
					rand.NewChaCha8([32]byte{byte(i)}).Read(want)
					ways.Go(func() {
						sizes := []int{0, 1, 100, maxPlain - 1, maxPlain, maxPlain + 1, 64 << 10, blockSize, 300 << 10}
						for rest := want; len(rest) > 0; {
							n := min(len(rest), sizes[rnd.IntN(len(sizes))]+rnd.IntN(2))
							if m, err := way[0].Write(rest[:n]); m != n || err != nil {
								t.Errorf("wrote %d of %d: %v", m, n, err)
								return
							}
							rest = rest[n:]
						}
						way[0].CloseWrite()
					})
					ways.Go(func() {
						got, err := io.ReadAll(way[1])
						if err != nil || !bytes.Equal(got, want) {
							t.Errorf("read %d bytes, want the %d sent: %v", len(got), len(want), err)
						}
					})
				}
				ways.Wait()
				x.Close()
				y.Close()
			})
		}
	}
}

// counted counts the writes of a conn.
type counted struct {
	net.Conn
	writes atomic.Int64
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// TestOneWrite: a Write of any size up to 64 KiB is one of the conn below, and all
// of it has left when Write returns.
func TestOneWrite(t *testing.T) {
	leak.Check(t)
	a, b := sockets(t, "tcp")
	below := &counted{Conn: a}
	x, y := over(t, below, b, tls.VersionTLS13)
	defer x.Close()
	defer y.Close()
	send := func(n int) int64 {
		t.Helper()
		before := below.writes.Load()
		if _, err := x.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(y, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		return below.writes.Load() - before
	}
	for range 4 {
		send(64 << 10) // the first records of a connection are small ones
	}
	for _, n := range []int{1, maxPlain, maxPlain + 1, 2 * maxPlain, 50_000, 64 << 10} {
		if writes := send(n); writes != 1 {
			t.Errorf("a Write of %d bytes was %d of the conn below", n, writes)
		}
	}
	if writes := send(1 << 20); writes > 20 {
		t.Errorf("1 MiB took %d writes of the conn below", writes)
	}
	if x.below.out.back != nil {
		t.Error("a block is held between two Writes")
	}
}

// TestWriteWakes blocks a Write that holds records back, by a peer that does not
// read, and ends it.
func TestWriteWakes(t *testing.T) {
	for name, end := range map[string]struct {
		do   func(*TLS)
		want error
	}{
		"deadline": {func(c *TLS) { c.SetWriteDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
		"close":    {func(c *TLS) { c.Close() }, net.ErrClosed},
	} {
		for kind, pair := range kinds {
			t.Run(name+"/"+kind, func(t *testing.T) {
				leak.Check(t)
				a, b := pair(t)
				x, y := over(t, a, b, tls.VersionTLS13)
				defer y.below.Close()
				defer x.below.Close()
				wrote := make(chan error, 1)
				var sent atomic.Int64
				go func() {
					for {
						if _, err := x.Write(make([]byte, 256<<10)); err != nil {
							wrote <- err
							return
						}
						sent.Add(1)
					}
				}()
				for before := int64(-1); ; {
					now := sent.Load()
					if x.below.out.mu.TryLock() {
						x.below.out.mu.Unlock() // it is not in a write below: it has not blocked yet
					} else if now == before {
						break
					}
					before = now
				}
				end.do(x)
				if err := <-wrote; !errors.Is(err, end.want) && !(kind == "pipe" && errors.Is(err, io.ErrClosedPipe)) {
					t.Errorf("Write ended with %v, want %v", err, end.want)
				}
				if x.below.out.back != nil {
					t.Error("a failed Write left a block behind")
				}
				if _, err := x.Write([]byte("x")); err == nil {
					t.Error("a write behind it succeeded")
				}
			})
		}
	}
}

// TestIdleHoldsNothing: a Read that waits has no block, and takes none along when
// it fails.
func TestIdleHoldsNothing(t *testing.T) {
	leak.Check(t)
	a, b := sockets(t, "tcp")
	c := Under(a)
	in := c.in.(*ahead)
	b.Write([]byte("hello"))
	got := make([]byte, 3)
	if n, err := c.Read(got); n != 3 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if in.buf == nil || in.w-in.r != 2 {
		t.Errorf("%d bytes read ahead, want 2", in.w-in.r)
	}
	if n, err := c.Read(got); n != 2 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	c.SetReadDeadline(time.Unix(1, 0))
	_, err := c.Read(got)
	if ne, ok := errors.AsType[*net.OpError](err); !ok || ne.Op != "read" || !ne.Timeout() {
		t.Errorf("read after the deadline: %v", err)
	}
	if in.buf != nil {
		t.Error("a block is held with nothing to read")
	}
	c.SetReadDeadline(time.Time{})
	read := make(chan error, 1)
	go func() {
		_, err := c.Read(got)
		read <- err
	}()
	for in.mu.TryLock() {
		in.mu.Unlock() // it does not wait yet
	}
	c.Close()
	if err := <-read; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read of a closed conn: %v", err)
	}
	if in.buf != nil {
		t.Error("a block is held by a closed conn")
	}
}

// TestEnds: the end of the peer is EOF, its reset an error.
func TestEnds(t *testing.T) {
	leak.Check(t)
	a, b := sockets(t, "tcp")
	c := Under(a)
	b.Write([]byte("last"))
	b.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(c); string(got) != "last" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if c.NetConn() != a {
		t.Error("NetConn is not the conn below")
	}
	c.NetConn().(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(b); len(got) > 0 || err != nil {
		t.Errorf("the half-close below arrived as %q, %v", got, err)
	}
	a, b = sockets(t, "tcp")
	c = Under(a)
	b.(*net.TCPConn).SetLinger(0)
	b.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read of a conn that was reset: %v", err)
	}
}

// TestOverOther: TLS that lies on another conn stays as it is.
func TestOverOther(t *testing.T) {
	a, _ := net.Pipe()
	tc := tls.Client(a, &tls.Config{ServerName: "x"})
	if got := Over(tc); got != net.Conn(tc) {
		t.Errorf("Over made a %T of it", got)
	}
}
