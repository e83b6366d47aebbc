package web

import (
	"net"
	"net/http"
	"net/http/pprof"
	"net/url"

	"github.com/prometheus/client_golang/prometheus"
)

// ServerAdmin is the admin port of a server: its metrics, and profiles where
// they are enabled.
func ServerAdmin(metrics *prometheus.Registry, profiling bool) http.Handler {
	return admin(metricsHandler(metrics), profiling)
}

// AgentAdmin is the admin port of an agent. Its metrics have moved to the health
// port, and a request for them is led there.
func AgentAdmin(healthPort int, profiling bool) http.Handler {
	return admin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host // without a port
		}
		to := url.URL{Host: hostPort(host, healthPort), Path: "/metrics", RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
	}), profiling)
}

func admin(metrics http.Handler, profiling bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics)
	if !profiling {
		return mux
	}
	mux.Handle("/debug/pprof", http.RedirectHandler("/debug/pprof/", http.StatusMovedPermanently))
	// The command line is left out: it is of no use for profiling.
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.Handle("/debug/pprof/cmdline", http.NotFoundHandler())
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}
