package main

import (
	"context"
	"errors"
	"net/http"
)

// targets is what the control plane wants to reach, and what it had better not.
// The strings are addresses as the control plane calls them.
type targets struct {
	kubelet *kubelet // node-1's
	foreign *kubelet // says it is node-1, by another authority
	other   *kubelet // of node-2, at an address of node-1

	exporter string // another port of node-1, plain HTTP
	pod      string // plain HTTP
	debug    string // a port of the pod that is nobody's business
	service  string // HTTPS, by name
	etcd     string
	webhook  string // HTTPS, beside the control plane
}

func (w *world) startTargets(context.Context) error {
	t := &w.targets
	var err1, err2, err3, err4, err5, err6, err7, err8, err9 error
	t.kubelet, err1 = w.startKubelet("kubelet")
	t.foreign, err2 = w.startKubelet("foreign-kubelet")
	t.other, err3 = w.startKubelet("other-kubelet")
	t.exporter, err4 = w.startPlain(nodeIP, nodeName, answer("node_load1 0.07"))
	t.pod, err5 = w.startPlain(podIP, podIP, answer("hello from the pod"))
	t.debug, err6 = w.startPlain(podIP, podIP, answer("never seen"))
	t.service, err7 = w.startHTTPS(serviceIP, serviceName, "web", answer("hello from the service"))
	t.webhook, err8 = w.startHTTPS(planeIP, webhookName, "webhook", answer("allowed"))
	t.etcd, err9 = w.startEtcd()
	return errors.Join(err1, err2, err3, err4, err5, err6, err7, err8, err9)
}

// startPlain serves h over plain HTTP.
func (w *world) startPlain(ip, name string, h http.Handler) (address string, err error) {
	ln, err := listen(ip)
	if err != nil {
		return "", err
	}
	w.onClose(serveHTTP(ln, h).stop)
	return named(name, ln), nil
}

// startHTTPS serves h with the certificate in file.
func (w *world) startHTTPS(ip, name, file string, h http.Handler) (address string, err error) {
	cfg, err := w.pki.openTLS(file, "h2", "http/1.1")
	if err != nil {
		return "", err
	}
	ln, err := listenTLS(ip, cfg)
	if err != nil {
		return "", err
	}
	w.onClose(serveHTTP(ln, h).stop)
	return named(name, ln), nil
}

// startEtcd serves a key-value store over mutual TLS.
func (w *world) startEtcd() (address string, err error) {
	cfg, err := w.pki.serverTLS("etcd", etcdCA)
	if err != nil {
		return "", err
	}
	ln, err := listenTLS(planeIP, cfg)
	if err != nil {
		return "", err
	}
	w.onClose(serveKV(ln).stop)
	return named(etcdName, ln), nil
}
