package main

import (
	"crypto/tls"
	"errors"
	"path/filepath"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

// The authorities, by the names of their files. Each trusts for one thing only,
// so that a certificate of one is worth nothing at the others.
const (
	tunnelCA  = "tunnel-ca"  // the tunnel's server and the agents
	kubeletCA = "kubelet-ca" // the kubelets' serving certificates
	clientCA  = "client-ca"  // who may talk to kubelets
	serviceCA = "service-ca" // services in the cluster
	etcdCA    = "etcd-ca"    // etcd and its clients
	planeCA   = "plane-ca"   // webhooks beside the control plane
	foreignCA = "foreign-ca" // somebody else's
)

// pki makes certificates and keeps them as files in one directory, each
// authority as NAME.crt, each certificate as NAME.crt and NAME.key.
type pki struct {
	dir         string
	authorities map[string]*testpki.CA
}

func newPKI(dir string) (*pki, error) {
	p := &pki{dir: dir, authorities: map[string]*testpki.CA{}}
	for _, a := range [][2]string{
		{tunnelCA, "tunnel CA"}, {kubeletCA, "kubelet CA 1"}, {clientCA, "client CA"}, {serviceCA, "service CA"},
		{etcdCA, "etcd CA"}, {planeCA, "control plane CA"}, {foreignCA, "foreign CA"},
	} {
		if err := p.found(a[0], a[1]); err != nil {
			return nil, err
		}
	}
	for _, l := range leaves() {
		if err := p.issue(l.ca, l.file, l.leaf); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// leaf is a certificate to issue: by whom, under which file name, for whom.
type leaf struct {
	ca, file string
	leaf     testpki.Leaf
}

func leaves() []leaf {
	return []leaf{
		{tunnelCA, "tunnel", testpki.Leaf{CommonName: "tunnel", Names: []string{planeIP}}},
		{tunnelCA, "agent-node-1", nodeLeaf(nodeName)},
		{tunnelCA, "agent-gateway", testpki.Leaf{CommonName: "gateway", Groups: []string{"gateways"}}},
		{kubeletCA, "kubelet", nodeLeaf(nodeName, nodeName)},
		{foreignCA, "foreign-kubelet", nodeLeaf(nodeName, nodeName)},
		// Whoever signs for kubelets seldom checks which names they ask for. This
		// one is node-2's and has got itself the name of node-1 as well.
		{kubeletCA, "other-kubelet", nodeLeaf("node-2", "node-2", nodeName)},
		{clientCA, "kubelet-client", testpki.Leaf{CommonName: "apiserver"}},
		{serviceCA, "web", testpki.Leaf{CommonName: "web", Names: []string{serviceName}}},
		{etcdCA, "etcd", testpki.Leaf{CommonName: "etcd", Names: []string{etcdName}}},
		{etcdCA, "etcd-client", testpki.Leaf{CommonName: "apiserver"}},
		{planeCA, "webhook", testpki.Leaf{CommonName: "webhook", Names: []string{webhookName}}},
	}
}

// nodeLeaf is what a cluster's signer gives to a node's kubelet.
func nodeLeaf(node string, names ...string) testpki.Leaf {
	return testpki.Leaf{CommonName: "system:node:" + node, Groups: []string{"system:nodes"}, Names: names}
}

// found makes an authority and puts it into its file, where it takes the place
// of the one before.
func (p *pki) found(file, name string) error {
	ca, err := testpki.NewCA(name)
	if err != nil {
		return err
	}
	p.authorities[file] = ca
	return testpki.WriteFile(filepath.Join(p.dir, file+".crt"), ca.PEM())
}

// issue has ca sign a certificate and puts it into its files.
func (p *pki) issue(ca, file string, l testpki.Leaf) error {
	signed, err := p.authorities[ca].Issue(l)
	if err != nil {
		return err
	}
	_, _, err = signed.Write(p.dir, file)
	return err
}

// fileOptions has the files looked at in every handshake, for a demonstration
// does not want to wait for the second that is the default.
func fileOptions() transport.FileOptions { return transport.FileOptions{Recheck: -1} }

// roots follows the file of an authority.
func (p *pki) roots(ca string) (*transport.CAFile, error) {
	return transport.NewCAFile(filepath.Join(p.dir, ca+".crt"), fileOptions())
}

// pair follows the files of a certificate.
func (p *pki) pair(file string) (*transport.KeyPair, error) {
	path := filepath.Join(p.dir, file)
	return transport.NewKeyPair(path+".crt", path+".key", fileOptions())
}

// credentials follows both: what one side trusts and what it shows.
func (p *pki) credentials(ca, file string) (*transport.CAFile, *transport.KeyPair, error) {
	roots, err1 := p.roots(ca)
	pair, err2 := p.pair(file)
	return roots, pair, errors.Join(err1, err2)
}

// serverTLS is for a server that shows the certificate in file and wants one of
// ca from its clients.
func (p *pki) serverTLS(file, ca string, protos ...string) (*tls.Config, error) {
	roots, pair, err := p.credentials(ca, file)
	if err != nil {
		return nil, err
	}
	return transport.ServerConfig(transport.ServerOptions{Certificates: pair, ClientRoots: roots, NextProtos: protos})
}

// openTLS is for a server that takes every client.
func (p *pki) openTLS(file string, protos ...string) (*tls.Config, error) {
	pair, err := p.pair(file)
	if err != nil {
		return nil, err
	}
	return &tls.Config{GetCertificate: pair.GetCertificate, MinVersion: tls.VersionTLS13, NextProtos: protos}, nil
}

// dialer verifies the far end of what d dials by ca, and shows no certificate.
func (p *pki) dialer(d dialer.Dialer, ca string) (*transport.Dialer, error) {
	roots, err := p.roots(ca)
	if err != nil {
		return nil, err
	}
	return transport.New(transport.Config{Dialer: d, Roots: roots})
}
