package web

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/konnectivity"
)

func get(h http.Handler, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
	return w
}

func ready() error    { return nil }
func draining() error { return konnectivity.ErrServerClosed }
func notReady() error { return errors.New("a secret reason") }

func TestHealth(t *testing.T) {
	for _, c := range []struct {
		name, target string
		handler      http.Handler
		code         int
		body         string
	}{
		{"server alive", "/healthz", ServerHealth(NewRegistry(), notReady), 200, "ok"},
		{"server ready", "/readyz", ServerHealth(NewRegistry(), ready), 200, "ok"},
		{"server ready, old name", "/ready", ServerHealth(NewRegistry(), ready), 200, "ok"},
		{"server not ready", "/readyz", ServerHealth(NewRegistry(), notReady), 500, "no connection to any proxy agent"},
		{"server that drains", "/readyz", ServerHealth(NewRegistry(), draining), 500, "the server is draining"},
		{"server not ready, old name", "/ready", ServerHealth(NewRegistry(), notReady), 500, "no connection to any proxy agent"},
		{"agent alive", "/healthz", AgentHealth(NewRegistry(), notReady), 200, "ok"},
		{"agent ready", "/readyz", AgentHealth(NewRegistry(), ready), 200, "ok"},
		{"agent ready, in words", "/readyz?verbose", AgentHealth(NewRegistry(), ready), 200, "[+]ping ok\n[+]server-connected ok\ncheck passed\n"},
		{"agent not ready", "/readyz", AgentHealth(NewRegistry(), notReady), 503, "[+]ping ok\n[-]server-connected failed: no servers connected\n"},
		{"agent not ready, old name", "/ready", AgentHealth(NewRegistry(), notReady), 503, "[+]ping ok\n[-]server-connected failed: no servers connected\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := get(c.handler, c.target)
			if w.Code != c.code || w.Body.String() != c.body {
				t.Errorf("%d %q, want %d %q", w.Code, w.Body, c.code, c.body)
			}
			if ct := w.Header().Get("Content-Type"); ct != "text/plain; charset=utf-8" {
				t.Errorf("content type %q", ct)
			}
		})
	}
	if w := get(ServerHealth(NewRegistry(), ready), "/debug/pprof/"); w.Code != 404 {
		t.Errorf("profiles on the health port: %d", w.Code)
	}
}

func TestMetrics(t *testing.T) {
	for name, h := range map[string]http.Handler{
		"server health": ServerHealth(NewRegistry(), ready), "server admin": ServerAdmin(NewRegistry(), false), "agent health": AgentHealth(NewRegistry(), ready),
	} {
		w := get(h, "/metrics")
		for _, want := range []string{"go_goroutines", "process_open_fds", "promhttp_metric_handler_requests_total"} {
			if w.Code != 200 || !strings.Contains(w.Body.String(), want) {
				t.Errorf("%s: %d, want %s in it", name, w.Code, want)
			}
		}
	}
}

// Both ports of a server serve one registry.
func TestMetricsTwice(t *testing.T) {
	r := NewRegistry()
	if a, b := get(ServerHealth(r, ready), "/metrics"), get(ServerAdmin(r, true), "/metrics"); a.Code != 200 || b.Code != 200 {
		t.Errorf("%d and %d", a.Code, b.Code)
	}
}

func TestAgentMetricsHaveMoved(t *testing.T) {
	h := AgentAdmin(8093, false)
	for host, want := range map[string]string{
		"127.0.0.1:8094": "//127.0.0.1:8093/metrics", "node": "//node:8093/metrics", "[::1]:8094": "//[::1]:8093/metrics", "[::1]": "//[::1]:8093/metrics",
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil)
		r.Host = host
		h.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); w.Code != 301 || got != want {
			t.Errorf("%s: %d to %q, want 301 to %q", host, w.Code, got, want)
		}
	}
}

func TestProfiles(t *testing.T) {
	for name, h := range map[string]func(bool) http.Handler{
		"server": func(on bool) http.Handler { return ServerAdmin(NewRegistry(), on) },
		"agent":  func(on bool) http.Handler { return AgentAdmin(8093, on) },
	} {
		for target, want := range map[string]int{
			"/debug/pprof": 301, "/debug/pprof/": 200, "/debug/pprof/goroutine?debug=1": 200, "/debug/pprof/symbol": 200, "/debug/pprof/cmdline": 404,
		} {
			if w := get(h(true), target); w.Code != want {
				t.Errorf("%s %s: %d, want %d", name, target, w.Code, want)
			}
			if w := get(h(false), target); w.Code != 404 {
				t.Errorf("%s %s while off: %d, want 404", name, target, w.Code)
			}
		}
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	leak.Check(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// A request in flight ends with the server and does not hold it up.
	entered := make(chan struct{})
	slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, ln, slow, slog.New(slog.DiscardHandler)) }()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		if resp, err := client.Get("http://" + ln.Addr().String()); err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}()
	<-entered
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the end of the context", err)
	}
	<-answered
}

func TestServeSaysWhyItEnded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := Serve(t.Context(), ln, http.NotFoundHandler(), slog.New(slog.DiscardHandler)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("%v, want that the listener is closed", err)
	}
}
