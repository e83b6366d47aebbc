package main

import "net/http"

// logsPath is where a kubelet streams the log of a container.
const logsPath = "/containerLogs/shop/web-0/web"

// kubelet is an HTTPS server that wants a client certificate, says that it is
// well, and streams a log.
type kubelet struct {
	address string // as the control plane calls it
	port    string
	log     *podLog
}

// url is that of a path at the kubelet.
func (k *kubelet) url(path string) string { return "https://" + k.address + path }

// startKubelet starts a kubelet on node-1's address that shows the certificate
// in file.
func (w *world) startKubelet(file string) (*kubelet, error) {
	cfg, err := w.pki.serverTLS(file, clientCA, "h2", "http/1.1")
	if err != nil {
		return nil, err
	}
	ln, err := listenTLS(nodeIP, cfg)
	if err != nil {
		return nil, err
	}
	k := &kubelet{address: named(nodeName, ln), port: portOf(ln), log: newPodLog()}
	mux := http.NewServeMux()
	mux.Handle("GET /healthz", answer("ok"))
	mux.Handle("GET "+logsPath, k.log)
	w.onClose(serveHTTP(ln, mux).stop)
	return k, nil
}
