package main

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/direct"
	"github.com/sallyport/sallyport/sshtunnel"
)

// edge is what an edge site has: no agent, but a machine that takes SSH, and what
// can be reached from there. The strings are addresses as the control plane calls
// them.
type edge struct {
	pool  *sshtunnel.Pool
	meter string // plain HTTP, on site-1
	posed string // on site-2, by the list; but it is site-1 that answers there
	lost  string // on a site that no list has
}

// nodesYAML is the list of the sites' machines: the address and the host key of
// site-1's, and the key of site-2's, whose place another has taken.
const nodesYAML = `- name: site-1
  address: %[1]s
  hosts: [%[2]s]
  hostKeys: [%[4]s]
- name: site-2
  address: %[1]s
  hosts: [%[3]s]
  hostKeys: [%[5]s]
`

// startEdge starts site-1 and makes the way there.
func (w *world) startEdge(context.Context) error {
	host, _, err := newSSHKey()
	if err != nil {
		return err
	}
	user, keyFile, err := w.userKey()
	if err != nil {
		return err
	}
	if w.edge.meter, err = w.startPlain(edgeIP, meterName, answer("21.5 kWh")); err != nil {
		return err
	}
	w.edge.posed, w.edge.lost = posedName+":80", lostName+":80"
	ln, err := listen(edgeIP)
	if err != nil {
		return err
	}
	w.onClose(serveSSH(ln, host, user.PublicKey(), direct.Dialer{Resolver: w.names}, w.witness.forwarded(siteName)).stop)
	nodes, err := w.nodesFile(ln.Addr().String(), host.PublicKey())
	if err != nil {
		return err
	}
	w.edge.pool, err = newPool(nodes, keyFile)
	if err == nil {
		w.onClose(func() { w.edge.pool.Close() })
	}
	return err
}

// newPool leads to the nodes of the file at nodes, and to nowhere else.
func newPool(nodes, keyFile string) (*sshtunnel.Pool, error) {
	list, err := sshtunnel.NewNodesFile(nodes, sshtunnel.FileOptions{})
	if err != nil {
		return nil, err
	}
	key, err := sshtunnel.NewKeyFile(keyFile, sshtunnel.KeyFileOptions{})
	if err != nil {
		return nil, err
	}
	return sshtunnel.NewPool(sshtunnel.PoolConfig{Nodes: list, Template: sshtunnel.Config{
		User: "egress", Credentials: []sshtunnel.Credentials{key},
	}})
}

// userKey makes the control plane's key and puts it into a file.
func (w *world) userKey() (key ssh.Signer, file string, err error) {
	key, private, err := newSSHKey()
	if err != nil {
		return nil, "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, "", err
	}
	file = filepath.Join(w.pki.dir, "id_ed25519")
	return key, file, os.WriteFile(file, pem.EncodeToMemory(block), 0o600)
}

// nodesFile writes the list of nodes and returns its path.
func (w *world) nodesFile(address string, host ssh.PublicKey) (string, error) {
	other, _, err := newSSHKey()
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf(nodesYAML, address, meterName, posedName,
		ssh.FingerprintSHA256(host), ssh.FingerprintSHA256(other.PublicKey()))
	path := filepath.Join(w.pki.dir, "nodes.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

func newSSHKey() (ssh.Signer, ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	return signer, private, err
}
