package konnectivity

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/direct"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/link/proxy"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/internal/wire"
)

// idleStreams opens n Proxy streams that ask for nothing.
func idleStreams(t *testing.T, fr *front, n int) (streams []grpc.ClientStream) {
	t.Helper()
	cl := fr.client(nil)
	s, err := connectSession(t.Context(), cl.reach, &cl.cfg, &proxy.Client{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.cc.Close() })
	for range n {
		st, err := s.cc.NewStream(context.Background(), &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/ProxyService/Proxy")
		if err != nil {
			t.Fatal(err)
		}
		streams = append(streams, st)
	}
	return streams
}

// endOf returns the code that a stream ends with.
func endOf(t *testing.T, st grpc.ClientStream) codes.Code {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- st.RecvMsg(new(wire.Packet)) }()
	return status.Code(within(t, "a stream to end", ended))
}

// TestFrontendStreamsWithoutDial: a stream on which nothing is asked for ends, and
// holds up no Shutdown.
func TestFrontendStreamsWithoutDial(t *testing.T) {
	fr := newFront(t, ModeGRPC, overUnix, func(c *FrontendConfig) { c.HandshakeTimeout = 300 * time.Millisecond })
	for _, st := range idleStreams(t, fr, 20) {
		if code := endOf(t, st); code != codes.DeadlineExceeded {
			t.Errorf("a stream without a DIAL_REQ ended with %v", code)
		}
	}
	idleStreams(t, fr, 20)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := fr.f.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
}

// TestFrontendDrainsIdleStreams: a front end that leaves waits for no stream that
// may ask for something yet.
func TestFrontendDrainsIdleStreams(t *testing.T) {
	leak.Check(t)
	fr := newFront(t, ModeGRPC, overUnix, func(c *FrontendConfig) { c.HandshakeTimeout = time.Hour })
	streams := idleStreams(t, fr, 20)
	eventually(t, "the streams to be there", func() bool {
		fr.f.mu.Lock()
		defer fr.f.mu.Unlock()
		return fr.f.streams == len(streams)
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := fr.f.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	for _, st := range streams {
		if code := endOf(t, st); code != codes.Unavailable {
			t.Errorf("a stream without a DIAL_REQ ended with %v", code)
		}
	}
}

// TestFrontendMaxStreams: streams are bounded as connections are, with a few to
// spare, whatever they ask for.
func TestFrontendMaxStreams(t *testing.T) {
	fr := newFront(t, ModeGRPC, overUnix, func(c *FrontendConfig) { c.MaxConns, c.HandshakeTimeout = 2, 5*time.Second })
	const limit = 2 + maxNewcomers
	refused := 0
	var last []grpc.ClientStream
	for range limit/2 + 2 { // a client alone may have but two
		last = append(last, idleStreams(t, fr, 2)...)
	}
	for _, st := range last { // whichever of them came last
		if endOf(t, st) == codes.ResourceExhausted {
			refused++
		}
	}
	if want := len(last) - limit; refused != want {
		t.Errorf("%d of %d streams too many were refused", refused, want)
	}
}

// TestFrontendRefusesAbstractSockets: nothing guards them.
func TestFrontendRefusesAbstractSockets(t *testing.T) {
	leak.Check(t)
	f, err := NewFrontend(FrontendConfig{Mode: ModeHTTPConnect, Dialer: &direct.Dialer{}})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", "@"+filepath.Base(t.TempDir())+"-sallyport-test")
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Serve(t.Context(), ln); err == nil || err == ErrFrontendClosed {
		t.Errorf("served: %v", err)
	}
}

// TestPerClientConfigWithoutAuthorities: what GetConfigForClient leaves out is not
// filled in with the system's authorities, at neither listener.
func TestPerClientConfigWithoutAuthorities(t *testing.T) {
	stranger := testpki.MustCA(t, "public")
	file := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: stranger.Cert.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SSL_CERT_FILE", file)
	pair := stranger.MustPair(t, testpki.Leaf{CommonName: "mallory"})
	for name, without := range map[string]func(*tls.Config){
		"another": func(c *tls.Config) {
			inner := c.Clone()
			inner.ClientCAs = nil
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return inner, nil }
		},
		"the same": func(c *tls.Config) {
			c.ClientCAs = nil
			c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return nil, nil }
		},
	} {
		fr := newFront(t, ModeHTTPConnect, overTLS13, func(c *FrontendConfig) { without(c.TLS) })
		w := newWorld(t, func(c *ServerConfig) { without(c.TLS) })
		for address, alpn := range map[string]string{fr.address(): "http/1.1", w.addr: "h2"} {
			c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}, NextProtos: []string{alpn}})
			if err == nil {
				c.SetReadDeadline(time.Now().Add(10 * time.Second))
				io.WriteString(c, "GET / HTTP/1.1\r\n\r\n")
				_, err = c.Read(make([]byte, 1)) // in TLS 1.3 the refusal comes here
				c.Close()
			}
			if err == nil || !strings.Contains(err.Error(), "remote error") {
				t.Errorf("%s, %s: %v, want the handshake refused", name, alpn, err)
			}
		}
	}
}
