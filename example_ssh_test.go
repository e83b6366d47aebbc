package sallyport_test

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/sallyport/sallyport/selector"
	"github.com/sallyport/sallyport/sshtunnel"
)

// Nodes that take nobody but SSH are a route like any other. The embedding is all in
// the function sshNodes; the example gives it files, and shows what becomes of an
// address that is on none of the nodes.
func Example_ssh() {
	dir := must(os.MkdirTemp("", "sallyport-example-"))
	defer os.RemoveAll(dir)
	writeSSH(dir) // what an operator would have there

	bastion, nodes := sshNodes(dir)
	defer bastion.Close()
	defer nodes.Close()
	const edge = selector.Class("edge")
	egress := must(selector.New(selector.Config{
		Rules:  []selector.Rule{{Class: edge, HostSuffixes: []string{".edge.example"}}},
		Routes: map[selector.Class]selector.Route{edge: {Name: "ssh", Dialer: nodes}},
	}))
	_, err := egress.DialContext(context.Background(), "tcp", "node-9.edge.example:10250")
	fmt.Println(err)
	// Output:
	// dial edge tcp node-9.edge.example:10250 by ssh: select: no route: no node has "node-9.edge.example", and there is no default
}

// sshNodes leads to what is on the nodes of a file, by way of a bastion. It connects
// to nothing yet: the first dial does.
func sshNodes(dir string) (*sshtunnel.Dialer, *sshtunnel.Pool) {
	log := slog.Default()
	files := sshtunnel.FileOptions{Log: log} // hears of new and of broken files
	cfg := sshtunnel.Config{
		Address: "bastion.example:22", User: "egress", Log: log, // of connects
		HostKeys:    must(sshtunnel.NewKnownHosts([]string{dir + "/known_hosts"}, files)),
		Credentials: []sshtunnel.Credentials{must(sshtunnel.NewKeyFile(dir+"/id_ed25519", sshtunnel.KeyFileOptions{FileOptions: files}))},
	}
	bastion := must(sshtunnel.New(cfg))
	cfg.Address, cfg.Via = "", bastion // each node has an address of its own
	nodes := must(sshtunnel.NewPool(sshtunnel.PoolConfig{
		Nodes: must(sshtunnel.NewNodesFile(dir+"/nodes.yaml", files)), Template: cfg, Log: log, // of the list
	}))
	return bastion, nodes
}

// nodesYAML is what the README shows of a nodes file.
const nodesYAML = `- name: node-1
  address: 192.0.2.7:22                # as the bastion dials it
  hosts: [node-1.edge.example]         # what is on it, as callers dial it
  cidrs: [10.244.1.0/24]
- name: node-2
  address: 192.0.2.8:22
  hosts: [node-2.edge.example, 10.0.0.8]
  hostKeys: ["SHA256:uNiVztksCsDhcc0u9e8BrrgsWGV/Xmu6aJ3BUwzAVmE"]
`

// writeSSH makes the files that sshNodes reads.
func writeSSH(dir string) {
	public, private, err := ed25519.GenerateKey(nil)
	must(0, err)
	block := must(ssh.MarshalPrivateKey(private, ""))
	line := knownhosts.Line([]string{"bastion.example"}, must(ssh.NewPublicKey(public)))
	for name, content := range map[string][]byte{
		"id_ed25519": pem.EncodeToMemory(block), "known_hosts": []byte(line + "\n"), "nodes.yaml": []byte(nodesYAML),
	} {
		must(0, os.WriteFile(dir+"/"+name, content, 0o600))
	}
}
