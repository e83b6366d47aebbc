package direct

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/dialer/dialertest"
)

func TestConformance(t *testing.T) {
	dialertest.Run(t, func(*testing.T) dialertest.Fixture {
		return dialertest.Fixture{Dialer: new(Dialer)}
	})
}

// TestConformanceByName runs the suite through a Resolver, a policy and a race
// of two families, the first of which nobody serves.
func TestConformanceByName(t *testing.T) {
	dialertest.Run(t, func(*testing.T) dialertest.Fixture {
		return dialertest.Fixture{
			Dialer: &Dialer{
				Resolver: &script{answers: [][]string{{"::1", "127.0.0.1"}}},
				Allow:    func(context.Context, string, netip.AddrPort) error { return nil },
			},
			Listen: func(t testing.TB) net.Listener {
				ln, err := net.Listen("tcp4", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				return &named{ln}
			},
			Refused: func(t testing.TB) string { return renamed(dialertest.ClosedPort(t)) },
		}
	})
}

// named is a listener that goes by a name.
type named struct{ net.Listener }

func (l *named) Addr() net.Addr { return namedAddr(renamed(l.Listener.Addr().String())) }

type namedAddr string

func (a namedAddr) Network() string { return "tcp" }
func (a namedAddr) String() string  { return string(a) }

func renamed(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return "node-1.example:" + port
}

func TestReturnsBareTCPConn(t *testing.T) {
	c, _ := dialertest.Fixture{Dialer: new(Dialer)}.Pair(t)
	if _, ok := c.(*net.TCPConn); !ok {
		t.Errorf("got a %T; only a *net.TCPConn can splice", c)
	}
}

func TestFamilies(t *testing.T) {
	tests := []struct {
		network, address string
		want             string // the address connected to; empty: none
	}{
		{"tcp", "127.0.0.1:80", "127.0.0.1:80"},
		{"tcp4", "127.0.0.1:80", "127.0.0.1:80"},
		{"tcp6", "127.0.0.1:80", ""},
		{"tcp4", "[::1]:80", ""},
		{"tcp6", "[::1]:80", "[::1]:80"},
		{"tcp", "[fe80::1%lo]:80", "[fe80::1%lo]:80"},
		{"tcp", "[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80"},
		{"tcp4", "[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80"},
		{"tcp6", "[::ffff:127.0.0.1]:80", ""},
		{"tcp", ":80", "0.0.0.0:80"},
		{"tcp6", ":80", "[::]:80"},
		{"tcp", "0.0.0.0:80", "0.0.0.0:80"},
		{"tcp", "127.0.0.1:http", "127.0.0.1:80"},
		{"tcp", "127.0.0.1:", ""},
		{"tcp", "127.0.0.1:0", ""},
		{"tcp", "127.0.0.1:65536", ""},
		{"tcp", "127.0.0.1:65535", "127.0.0.1:65535"},
		{"tcp", "127.0.0.1", ""},
		{"tcp4", "both.example:80", "10.0.0.1:80"},
		{"tcp6", "both.example:80", "[fd00::1]:80"},
	}
	for _, tt := range tests {
		t.Run(tt.network+" "+tt.address, func(t *testing.T) {
			var asked []string
			network := &fakeNet{}
			d := &Dialer{
				Resolver: &script{answers: [][]string{{"::ffff:10.0.0.1", "fd00::1"}}},
				Allow: func(_ context.Context, _ string, a netip.AddrPort) error {
					asked = append(asked, a.String())
					return nil
				},
				connect: network.connect,
			}
			c, err := d.DialContext(t.Context(), tt.network, tt.address)
			if tt.want == "" {
				if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopResolve) || len(asked) != 0 {
					t.Fatalf("got %v after asking about %v; want a failure to resolve", err, asked)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
			if want := []string{tt.want}; !slices.Equal(asked, want) || !slices.Equal(network.dialed(), want) {
				t.Errorf("asked about %v, connected to %v; want %v", asked, network.dialed(), want)
			}
		})
	}
}

// TestLoopbackForms connects over every way to write this host.
func TestLoopbackForms(t *testing.T) {
	for _, tt := range []struct{ listen, dial string }{
		{"[::1]:0", "::1"},
		{"[::1]:0", "::1%lo"},
		{"127.0.0.1:0", "::ffff:127.0.0.1"},
		{"127.0.0.1:0", ""},
		{"127.0.0.1:0", "0.0.0.0"},
	} {
		t.Run(tt.dial, func(t *testing.T) {
			ln, err := net.Listen("tcp", tt.listen)
			if err != nil {
				t.Skipf("no such address here: %v", err)
			}
			defer ln.Close()
			_, port, _ := net.SplitHostPort(ln.Addr().String())
			c, err := new(Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort(tt.dial, port))
			if err != nil {
				t.Fatal(err)
			}
			c.Close()
		})
	}
}

func TestResolveFails(t *testing.T) {
	d := &Dialer{Resolver: &script{err: &net.DNSError{Err: "no such host", Name: "gone.example", IsNotFound: true}}}
	_, err := d.DialContext(t.Context(), "tcp", "gone.example:80")
	checkError(t, err, dialer.HopResolve, dialer.NoSuchHost)

	d = &Dialer{Resolver: &script{answers: [][]string{{}}}}
	_, err = d.DialContext(t.Context(), "tcp", "empty.example:80")
	checkError(t, err, dialer.HopResolve, dialer.NoSuchHost)
}

// TestResolverIgnoresContext: the dial is on time even if the Resolver is not.
func TestResolverIgnoresContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		d := &Dialer{Resolver: stuck(release), Timeout: 3 * time.Second}
		begin := time.Now()
		_, err := d.DialContext(t.Context(), "tcp", "slow.example:80")
		checkError(t, err, dialer.HopResolve, dialer.Timeout)
		if took := time.Since(begin); took != d.Timeout {
			t.Errorf("took %v, want %v", took, d.Timeout)
		}

		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("shutting down")
		time.AfterFunc(time.Second, func() { cancel(why) })
		_, err = d.DialContext(ctx, "tcp", "slow.example:80")
		checkError(t, err, dialer.HopResolve, dialer.Canceled)
		if !errors.Is(err, why) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v hides why the caller gave up", err)
		}
	})
}

func TestTimeouts(t *testing.T) {
	for _, tt := range []struct {
		timeout, ctx, want time.Duration
	}{
		{0, time.Hour, dialer.DefaultTimeout},
		{time.Second, time.Hour, time.Second},
		{-1, time.Hour, time.Hour},
		{time.Hour, time.Minute, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tt.ctx)
			defer cancel()
			d := &Dialer{Timeout: tt.timeout, connect: (&fakeNet{hang: "10.0.0.1"}).connect}
			begin := time.Now()
			_, err := d.DialContext(ctx, "tcp", "10.0.0.1:80")
			checkError(t, err, dialer.HopTarget, dialer.Timeout)
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%v is no deadline", err)
			}
			if took := time.Since(begin); took != tt.want {
				t.Errorf("Timeout %v in a context of %v took %v, want %v", tt.timeout, tt.ctx, took, tt.want)
			}
		})
	}
}

// checkError wants a *dialer.Error of a hop and a kind.
func checkError(t *testing.T, err error, hop string, kind dialer.Kind) {
	t.Helper()
	de, ok := errors.AsType[*dialer.Error](err)
	if !ok || !de.At(hop) || dialer.KindOf(err) != kind {
		t.Fatalf("got %v of kind %v; want hop %s, kind %v", err, dialer.KindOf(err), hop, kind)
	}
}
