package sshtunnel_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer/dialertest"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/internal/testkit"
	"github.com/sallyport/sallyport/sshtunnel"
)

// routes are the ways through SSH servers that the conformance suite goes; start
// says whose servers they are.
func routes(start starter) map[string]func(t *testing.T) dialertest.Fixture {
	return map[string]func(t *testing.T) dialertest.Fixture{
		"TCP": func(t *testing.T) dialertest.Fixture {
			return dialertest.Fixture{Dialer: through(t, start(t, endpointOptions{}))}
		},
		"IPv6": func(t *testing.T) dialertest.Fixture {
			return dialertest.Fixture{
				Dialer: through(t, start(t, endpointOptions{host: "::1"})),
				Listen: func(t testing.TB) net.Listener { return testkit.Must(net.Listen("tcp", "[::1]:0"))(t) },
			}
		},
		"Unix": func(t *testing.T) dialertest.Fixture {
			return dialertest.Fixture{
				Dialer: through(t, start(t, endpointOptions{})), Network: "unix",
				Listen: func(t testing.TB) net.Listener { return testkit.Must(net.Listen("unix", socketPath(t)))(t) },
				// A unix socket has no reset to send.
				NoReset: true,
				Refused: deadSocket,
			}
		},
		"Pool": func(t *testing.T) dialertest.Fixture {
			return dialertest.Fixture{Dialer: pooled(t, start(t, endpointOptions{}))}
		},
		"TwoBastions": func(t *testing.T) dialertest.Fixture {
			outer := through(t, start(t, endpointOptions{}))
			inner := through(t, start(t, endpointOptions{}), via(outer))
			return dialertest.Fixture{Dialer: inner}
		},
		"ThreeBastionsWithCertificates": func(t *testing.T) dialertest.Fixture {
			return dialertest.Fixture{Dialer: threeBastions(t, start)}
		},
	}
}

func TestConformance(t *testing.T) {
	for name, fixture := range routes(startOurs) {
		t.Run(name, func(t *testing.T) {
			dialertest.Run(t, func(t *testing.T) dialertest.Fixture {
				f := fixture(t)
				if f.Network == "unix" {
					f.Hang = deafSocket
				}
				return f
			})
		})
	}
}

// via puts a Dialer below another.
func via(d *sshtunnel.Dialer) func(*sshtunnel.Config) {
	return func(c *sshtunnel.Config) { c.Via = d }
}

// threeBastions is a chain in which every server and every user is known by a
// certificate.
func threeBastions(t *testing.T, start starter) *sshtunnel.Dialer {
	t.Helper()
	hosts, users := sshtest.NewKey(t), sshtest.NewKey(t)
	var d *sshtunnel.Dialer
	for range 3 {
		key := sshtest.NewKey(t)
		ep := start(t, endpointOptions{
			hostKeys:        []sshtest.Key{key},
			hostCertificate: sshtest.HostCertificate(t, hosts, key, "127.0.0.1").PublicKey().(*ssh.Certificate),
			userCAs:         []ssh.PublicKey{users.PublicKey()},
		})
		below := d
		d = through(t, ep, func(c *sshtunnel.Config) {
			if below != nil {
				c.Via = below
			}
			c.HostKeys = sshtunnel.HostCertificates(hosts.PublicKey())
			c.Credentials = []sshtunnel.Credentials{
				sshtunnel.StaticSigners(sshtest.UserCertificate(t, users, sshtest.NewKey(t), ep.User())),
			}
		})
	}
	return d
}

// deadSocket is a socket at which nobody listens any more.
func deadSocket(t testing.TB) string {
	t.Helper()
	ln := testkit.Must(net.Listen("unix", socketPath(t)))(t).(*net.UnixListener)
	ln.SetUnlinkOnClose(false)
	ln.Close()
	return ln.Addr().String()
}

// deafSocket is a path at which startOurs's servers hang.
func deafSocket(t testing.TB) string { return filepath.Join(shortDir(t), deaf) }

// deaf is the name of a socket that a connect never comes back from.
const deaf = "deaf"

// dialOrHang is how startOurs's servers connect to targets: a connect to a unix
// socket never hangs by itself.
func dialOrHang(ctx context.Context, network, address string) (net.Conn, error) {
	if filepath.Base(address) == deaf {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}
