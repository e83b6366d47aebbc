package sshtunnel

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/sshtest"
)

const nodesYAML = `# the nodes
- name: node-1
  address: 192.0.2.1:22
  user: egress
  hosts: [node-1, 10.0.0.1]
  cidrs: [10.244.1.0/24]
  hostKeys:
  - SHA256:uNiVztksCsDhcc0u9e8BrrgsWGV/Xmu6aJ3BUwzAVmE
- name: node-2
  address: "[2001:db8::2]:22"
`

const nodesJSON = "[\n\t{\"name\": \"node-1\", \"address\": \"192.0.2.1:22\",\n\t\"hosts\": [\"node-1\"]}\n]\n"

// nodesFile is a file that tests write over, and the list that follows it.
type nodesFile struct {
	*NodesFile
	t    *testing.T
	path string
	told []string // by the hooks
}

func newNodesFile(t *testing.T, content string) *nodesFile {
	t.Helper()
	f := &nodesFile{t: t, path: filepath.Join(t.TempDir(), "nodes.yaml")}
	f.write(content)
	var err error
	f.NodesFile, err = NewNodesFile(f.path, FileOptions{Recheck: -1, Trace: &FileTrace{
		Reloaded:     func(string) { f.told = append(f.told, "reloaded") },
		ReloadFailed: func(_ string, err error) { f.told = append(f.told, err.Error()) },
	}})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *nodesFile) write(content string) {
	f.t.Helper()
	if err := os.WriteFile(f.path, []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// expect is how many nodes there are, and a part of why they may be old.
func (f *nodesFile) expect(n int, want string) {
	f.t.Helper()
	list, err := f.Current()
	if list.Len() != n || (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		f.t.Errorf("%d nodes, %v; want %d, %q", list.Len(), err, n, want)
	}
}

func TestNodesFile(t *testing.T) {
	f := newNodesFile(t, nodesYAML)
	f.expect(2, "")
	list, _ := f.Current()
	for _, host := range []string{"node-1", "10.0.0.1", "10.244.1.200"} {
		if n, ok := list.Lookup(host); !ok || n.Name != "node-1" || n.User != "egress" || n.HostKeys == nil {
			t.Errorf("%s lives on %+v, %v", host, n, ok)
		}
	}
	if again, _ := f.Current(); again != list {
		t.Error("another list from the same content")
	}
	if n := list.byName["node-2"]; n.HostKeys != nil || n.User != "" {
		t.Errorf("%+v", n)
	}
}

func TestNodesFileKeepsTheLastGoodList(t *testing.T) {
	f := newNodesFile(t, nodesYAML)
	list, _ := f.Current()
	for _, c := range []struct{ content, want string }{
		{"", "it is empty"},
		{"[]", "no nodes"},
		{"- name: node-1\n", `Address ""`},
		{"- [", "yaml"},
		{nodesYAML + "- name: node-1\n  address: 192.0.2.3:22\n", `Name: node "node-1" has it, too`},
	} {
		f.write(c.content)
		f.expect(2, c.want)
		if _, err := f.Current(); !strings.Contains(err.Error(), f.path) {
			t.Errorf("%v does not name the file", err)
		}
	}
	if now, _ := f.Current(); now != list {
		t.Error("the list has changed")
	}
	if err := os.Remove(f.path); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Current(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want that the file is not there", err)
	}
	f.write(nodesYAML) // what it was at first, so nothing is new but that it is good
	f.expect(2, "")
	f.write(nodesJSON)
	f.expect(1, "")
	if n := len(f.told); n != 8 || f.told[6] != "reloaded" || f.told[7] != "reloaded" {
		t.Errorf("told %q", f.told)
	}
}

func TestNewNodesFileErrors(t *testing.T) {
	key := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHmYJ7JX0m"
	node := "- name: a\n  address: a:22\n"
	for name, c := range map[string]struct{ content, want string }{
		"empty":           {"", "it is empty"},
		"no nodes":        {"[]", "no nodes"},
		"no list":         {"name: a", "want a list"},
		"unknown key":     {node + "  hostkeys: [x]", `unknown key "hostkeys"; want name, address, user, hosts, cidrs, hostKeys`},
		"no network":      {node + "  cidrs: [10.0.0.1]", `node 0, "a": cidrs[0] "10.0.0.1": no network`},
		"empty hosts":     {node + "  hosts: []", "hosts is there but empty"},
		"empty networks":  {node + "  cidrs: []", "cidrs is there but empty"},
		"empty host keys": {node + "  hostKeys: []", "hostKeys is there but empty"},
		"no host keys":    {node + "  hostKeys:\n", "hostKeys is there but empty"},
		"null in JSON":    {`[{"name": "a", "address": "a:22", "hostKeys": null}]`, "hostKeys is there but empty"},
		"half a host key": {node + "  hostKeys: [" + key + "]", "hostKeys: "},
		"comment as key":  {node + "  hostKeys: ['# ssh-ed25519']", "hostKeys: "},
		"two faults":      {"- name: a\n  address: a:22\n  cidrs: [x]\n- name: b\n  address: b:22\n  cidrs: [y]\n", `node 1, "b": cidrs[0] "y"`},
	} {
		path := filepath.Join(t.TempDir(), "nodes.yaml")
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := NewNodesFile(path, FileOptions{})
		if f != nil || err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v; want an error with the path and %q", name, err, c.want)
		}
	}
	if _, err := NewNodesFile("/no/such.yaml", FileOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want that the file is not there", err)
	}
}

// The keys of a node in the file verify its server, and no others do.
func TestNodesFileHostKeys(t *testing.T) {
	mine, other := sshtest.NewKey(t).PublicKey(), sshtest.NewKey(t).PublicKey()
	f := newNodesFile(t, "- name: a\n  address: a:22\n  hostKeys: ['"+strings.TrimSpace(string(ssh.MarshalAuthorizedKey(mine)))+"']\n")
	list, _ := f.Current()
	keys := list.byName["a"].HostKeys
	if err := keys.Verify("a:22", nil, mine); err != nil {
		t.Error(err)
	}
	if err := keys.Verify("a:22", nil, other); err == nil {
		t.Error("another key is taken")
	}
}
