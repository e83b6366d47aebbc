// Package web has the HTTP endpoints of both programs: health, metrics and
// profiling.
package web

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/sallyport/sallyport/konnectivity"
)

// ServerHealth is the health port of a server. ready is why it is not, or nil.
//
// The words and the codes are those of Konnectivity's server, which scripts look
// for. A server that drains has agents and takes no more connections, which
// Konnectivity's never says.
func ServerHealth(metrics *prometheus.Registry, ready func() error) http.Handler {
	readyz := func(w http.ResponseWriter, _ *http.Request) {
		err := ready()
		switch {
		case err == nil:
			io.WriteString(w, "ok")
		case errors.Is(err, konnectivity.ErrServerClosed):
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, "the server is draining")
		default:
			w.WriteHeader(http.StatusInternalServerError)
			io.WriteString(w, "no connection to any proxy agent")
		}
	}
	return health(metrics, readyz)
}

// AgentHealth is the health port of an agent. ready is why it is not, or nil.
//
// The words and the codes are those of Konnectivity's agent.
func AgentHealth(metrics *prometheus.Registry, ready func() error) http.Handler {
	readyz := func(w http.ResponseWriter, r *http.Request) {
		if ready() != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			io.WriteString(w, "[+]ping ok\n[-]server-connected failed: no servers connected\n")
			return
		}
		if !r.URL.Query().Has("verbose") {
			io.WriteString(w, "ok")
			return
		}
		io.WriteString(w, "[+]ping ok\n[+]server-connected ok\ncheck passed\n")
	}
	return health(metrics, readyz)
}

func health(metrics *prometheus.Registry, readyz http.HandlerFunc) http.Handler {
	mux := http.NewServeMux()
	// A program that answers has its listeners: it makes them before this one.
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })
	mux.HandleFunc("/readyz", readyz)
	mux.HandleFunc("/ready", readyz) // the name it had once
	mux.Handle("/metrics", metricsHandler(metrics))
	return plain(mux)
}

// plain says what the answers are, so that nobody guesses from their bytes.
func plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/metrics") {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		}
		next.ServeHTTP(w, r)
	})
}

// hostPort joins what a redirect leads to.
func hostPort(host string, port int) string {
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%d", host, port)
}
