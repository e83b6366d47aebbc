package transport_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// kubelet is an HTTPS server on loopback that does what a kubelet does for a
// control plane: answers, streams logs, and upgrades.
type kubelet struct {
	addr  string
	conns atomic.Int64 // accepted so far
	open  atomic.Int64 // of those, not ended yet
	lines chan string  // each is written to the log that is followed
	pair  atomic.Pointer[tls.Certificate]
}

// startKubelet serves with pair until the test ends. protos is what it
// negotiates; "h2" among them or not decides the HTTP version.
func startKubelet(t *testing.T, pair tls.Certificate, protos ...string) *kubelet {
	t.Helper()
	k := &kubelet{lines: make(chan string)}
	k.pair.Store(&pair)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k.addr = ln.Addr().String()
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
	mux.HandleFunc("/logs", k.logs)
	mux.HandleFunc("/exec", exec)
	srv := &http.Server{
		Handler:  mux,
		ErrorLog: log.New(io.Discard, "", 0), // the refused handshakes
		TLSConfig: &tls.Config{
			// For addresses as well as names, which Certificates come first for.
			GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
				return &tls.Config{Certificates: []tls.Certificate{*k.pair.Load()}, NextProtos: protos}, nil
			},
			Certificates: []tls.Certificate{pair},
		},
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				k.conns.Add(1)
				k.open.Add(1)
			case http.StateClosed, http.StateHijacked:
				k.open.Add(-1)
			}
		},
	}
	var wg sync.WaitGroup
	wg.Go(func() { srv.ServeTLS(ln, "", "") })
	t.Cleanup(func() {
		srv.Close()
		wg.Wait()
	})
	return k
}

// wantOpen waits until n connections are open, and no longer than for a while.
func (k *kubelet) wantOpen(t *testing.T, n int64) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); k.open.Load() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open, want %d", k.open.Load(), n)
		}
	}
}

// logs writes what arrives on k.lines until the client goes away.
func (k *kubelet) logs(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	rc.Flush()
	for {
		select {
		case line := <-k.lines:
			fmt.Fprintln(w, line)
			rc.Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// exec switches to a protocol that echoes.
func exec(w http.ResponseWriter, r *http.Request) {
	c, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "cannot be upgraded over "+r.Proto, http.StatusInternalServerError)
		return
	}
	defer c.Close()
	fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", r.Header.Get("Upgrade"))
	io.Copy(c, buffered)
}

// follow opens the log and returns a function that passes one line through it.
func (k *kubelet) follow(t *testing.T, rt http.RoundTripper, url string) (pass func(line string), end func()) {
	t.Helper()
	resp, err := get(t, rt, url+"/logs")
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(resp.Body)
	return func(line string) {
		t.Helper()
		select {
		case k.lines <- line:
		case <-time.After(10 * time.Second):
			t.Fatal("the log stream is dead: its server takes no line")
		}
		got, err := r.ReadString('\n')
		if err != nil || strings.TrimSpace(got) != line {
			t.Fatalf("the log stream gave %q and %v, want %q", got, err, line)
		}
	}, func() { resp.Body.Close() }
}

func get(t *testing.T, rt http.RoundTripper, url string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return rt.RoundTrip(req)
}

// ok asks for an answer and returns the protocol it came by.
func ok(t *testing.T, rt http.RoundTripper, url string) (string, error) {
	t.Helper()
	resp, err := get(t, rt, url+"/ok")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return string(body), err
}

func mustOK(t *testing.T, rt http.RoundTripper, url, proto string) {
	t.Helper()
	if got, err := ok(t, rt, url); err != nil || got != proto {
		t.Fatalf("got %q and %v, want %q", got, err, proto)
	}
}

// roundTripper makes one whose connections end with the test.
func roundTripper(t *testing.T, cfg transport.Config, bounds transport.HTTPConfig) *transport.RoundTripper {
	t.Helper()
	rt, err := transport.NewRoundTripper(mustDialer(t, cfg), bounds)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.CloseIdleConnections)
	return rt
}

func nodePair(t *testing.T, ca *testpki.CA, name string, names ...string) tls.Certificate {
	t.Helper()
	return ca.MustPair(t, node(name, names...))
}
