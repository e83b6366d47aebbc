package konnectivity

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// readsToTheEnd is a target that tells how what it was sent ended.
func readsToTheEnd(t *testing.T) (address string, ended <-chan error, begun <-chan struct{}) {
	end, start := make(chan error, 1), make(chan struct{})
	return target(t, func(c net.Conn) {
		io.ReadFull(c, make([]byte, len(half)))
		close(start)
		_, err := io.Copy(io.Discard, c)
		end <- err
	}), end, start
}

const half = "half of it"

// TestServerDiesUnderConnect: a server whose process dies ends its sockets, and
// TLS alone would take that for the end of what it had to send.
func TestServerDiesUnderConnect(t *testing.T) {
	leak.Check(t)
	ca := testpki.MustCA(t, "front")
	cfg := serverTLS(t, ca)
	address := target(t, func(c net.Conn) {
		tc := tls.Server(c, cfg)
		if _, err := http.ReadRequest(bufio.NewReader(tc)); err != nil {
			t.Errorf("the request: %v", err)
		}
		io.WriteString(tc, "HTTP/1.1 200 OK\r\n\r\n"+half) // and no goodbye
	})
	client := mustClient(t, ClientConfig{
		Mode: ModeHTTPConnect, Address: address, Roots: transport.StaticRoots(ca.Pool()),
		Certificates: transport.StaticCertificate(ca.MustPair(t, testpki.Leaf{CommonName: "client"})),
	})
	got, err := io.ReadAll(dial(t, client, "node-1:10250"))
	if string(got) != half || !errors.Is(err, syscall.ECONNRESET) || !errors.Is(err, dialer.ErrReset) {
		t.Errorf("read %q, %v, want what came and a reset", got, err)
	}
}

// TestClientDiesUnderConnect: the target of a client that died sees a reset.
func TestClientDiesUnderConnect(t *testing.T) {
	leak.Check(t)
	for _, r := range []string{overTLS12, overTLS13} {
		address, ended, begun := readsToTheEnd(t)
		fr := newFront(t, ModeHTTPConnect, r, nil)
		c := fr.raw()
		io.WriteString(c, "CONNECT "+address+" HTTP/1.1\r\nHost: x\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		}
		io.WriteString(c, half)
		within(t, "the target to have it", begun)
		c.(*tls.Conn).NetConn().Close()
		if err := within(t, "the target to see the end", ended); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: the target saw %v, want a reset", r, err)
		}
	}
}

// TestFrontendCutsWrappedConns: a front end that is closed resets what it had
// open, also where that is TLS inside of something else.
func TestFrontendCutsWrappedConns(t *testing.T) {
	leak.Check(t)
	address, ended, begun := readsToTheEnd(t)
	second := newFront(t, ModeHTTPConnect, overTLS13, nil)
	first := newFront(t, ModeGRPC, overUnix, func(c *FrontendConfig) { c.Dialer = second.client(nil) })
	c := dial(t, first.client(nil), address)
	io.WriteString(c, half)
	within(t, "the target to have it", begun)
	first.f.Close()
	if err := within(t, "the target to see the end", ended); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the target saw %v, want a reset", err)
	}
}

// TestGoodbyeWithTheEnd: a conn may tell its end together with its last bytes,
// which are the goodbye.
func TestGoodbyeWithTheEnd(t *testing.T) {
	ca := testpki.MustCA(t, "front")
	cfg := serverTLS(t, ca)
	cfg.ClientAuth = tls.NoClientCert
	address := target(t, func(c net.Conn) {
		tc := tls.Server(c, cfg)
		io.WriteString(tc, half)
		tc.Close()
	})
	raw, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	last := &lastTogether{Conn: raw}
	tc := tls.Client(&socket{Conn: last}, &tls.Config{InsecureSkipVerify: true})
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	last.rest = true
	if got, err := io.ReadAll(honest(tc)); string(got) != half || err != nil {
		t.Errorf("read %q, %v, want a clean end", got, err)
	}
}

// lastTogether is a conn whose Read waits for the rest of what there is, once told
// to, and returns it with the end.
type lastTogether struct {
	net.Conn
	rest bool
	all  []byte
	done bool
}

func (l *lastTogether) Read(p []byte) (int, error) {
	if !l.rest {
		return l.Conn.Read(p)
	}
	if !l.done {
		l.all, _ = io.ReadAll(l.Conn)
		l.done = true
	}
	n := copy(p, l.all)
	if l.all = l.all[n:]; len(l.all) > 0 {
		return n, nil
	}
	return n, io.EOF
}
