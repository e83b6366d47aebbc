package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
)

// The ways that connections have to go.
var (
	toKubelet = way{"kubelet", "tunnel", nodeName}
	toNode    = way{"node", "tunnel", nodeName}
	toPod     = way{"pod", "tunnel", "gateway"}
	toService = way{"service", "tunnel", "gateway"}
	toEtcd    = way{"etcd", "direct", ""}
	toWebhook = way{"controlplane", "direct", ""}
	toMeter   = way{"edge", "ssh", siteName}
	toNobody  = way{"edge", "ssh", ""}
)

// reached are the checks of what has to work, a line for each class.
func (w *world) reached() []check {
	t, c := &w.targets, &w.clients
	return []check{
		w.web(t.kubelet.address, toKubelet, "system:node:node-1 (kubelet CA 1)", c.kubelets, t.kubelet.url("/healthz")),
		w.web(t.exporter, toNode, "", c.plain, "http://"+t.exporter+"/metrics"),
		w.web(t.pod, toPod, "", c.plain, "http://"+t.pod+"/"),
		w.web(t.service, toService, serviceName+" (service CA)", c.services, "https://"+t.service+"/"),
		{address: t.etcd, want: toEtcd, verified: etcdName + " (etcd CA)", try: w.useEtcd},
		w.web(t.webhook, toWebhook, webhookName+" (control plane CA)", c.webhooks, "https://"+t.webhook+"/"),
		w.web(w.edge.meter, toMeter, "", c.plain, "http://"+w.edge.meter+"/"),
	}
}

// web is a check that gets url.
func (w *world) web(address string, want way, verified string, c *http.Client, url string) check {
	return check{address: address, want: want, verified: verified, try: func(ctx context.Context) (outcome, error) {
		return fetch(ctx, c, url)
	}}
}

// useEtcd stores a value and reads it back.
func (w *world) useEtcd(ctx context.Context) (outcome, error) {
	conn, err := w.clients.etcd.DialContext(ctx, "tcp", w.targets.etcd)
	if err != nil {
		return outcome{}, err
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetDeadline(deadline)
	}
	if err := putAndGet(conn, "/registry/pods/web-0", "Running"); err != nil {
		return outcome{}, err
	}
	cs := conn.(*tls.Conn).ConnectionState()
	return outcome{verified: verifiedAs(&cs), said: "put a key and got it back"}, nil
}

func putAndGet(conn net.Conn, key, value string) error {
	if _, err := ask(conn, "PUT "+key+" "+value); err != nil {
		return err
	}
	got, err := ask(conn, "GET "+key)
	if err != nil {
		return err
	}
	if got != value {
		return fmt.Errorf("etcd returned %q, want %q", got, value)
	}
	return nil
}
