package main

import (
	"context"
	"net/http"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/selector"
	"github.com/sallyport/sallyport/transport"
)

// clients are the control plane's ways to speak to what it dials: one for each
// class, shared by all who need it.
type clients struct {
	kubelets  *http.Client // HTTPS, our certificate, the node meant
	services  *http.Client // HTTPS
	webhooks  *http.Client // HTTPS
	plain     *http.Client // HTTP
	etcd      dialer.Dialer
	anonymous dialer.Dialer // to kubelets, without our certificate
}

func (w *world) makeClients(context.Context) (err error) {
	c := &w.clients
	c.plain = w.httpClient(&http.Transport{DialContext: w.plane.egress.DialContext})
	if c.kubelets, err = w.kubeletClient(); err != nil {
		return err
	}
	if c.services, err = w.httpsClient(selector.Service, serviceCA); err != nil {
		return err
	}
	if c.webhooks, err = w.httpsClient(selector.ControlPlane, planeCA); err != nil {
		return err
	}
	if c.etcd, err = w.etcdDialer(); err != nil {
		return err
	}
	c.anonymous, err = w.pki.dialer(w.plane.egress, kubeletCA)
	return err
}

// kubeletClient verifies more than a name: whoever answers must be the node
// that was meant.
func (w *world) kubeletClient() (*http.Client, error) {
	roots, pair, err := w.pki.credentials(kubeletCA, "kubelet-client")
	if err != nil {
		return nil, err
	}
	d, err := transport.New(transport.Config{
		Dialer: w.plane.egress.For(selector.Kubelet), Roots: roots, Certificates: pair, NodeName: transport.HostAsNode,
	})
	if err != nil {
		return nil, err
	}
	return w.overTLS(d)
}

// httpsClient is for servers of a class that ask for no certificate.
func (w *world) httpsClient(class selector.Class, ca string) (*http.Client, error) {
	d, err := w.pki.dialer(w.plane.egress.For(class), ca)
	if err != nil {
		return nil, err
	}
	return w.overTLS(d)
}

func (w *world) overTLS(d *transport.Dialer) (*http.Client, error) {
	rt, err := transport.NewRoundTripper(d, transport.HTTPConfig{})
	if err != nil {
		return nil, err
	}
	return w.httpClient(rt), nil
}

// httpClient is a client on rt whose idle connections end with the world.
func (w *world) httpClient(rt http.RoundTripper) *http.Client {
	c := &http.Client{Transport: rt}
	w.onClose(c.CloseIdleConnections)
	return c
}

// etcdDialer shows a certificate that etcd's own authority signed.
func (w *world) etcdDialer() (dialer.Dialer, error) {
	roots, pair, err := w.pki.credentials(etcdCA, "etcd-client")
	if err != nil {
		return nil, err
	}
	return transport.New(transport.Config{Dialer: w.plane.egress, Roots: roots, Certificates: pair})
}
