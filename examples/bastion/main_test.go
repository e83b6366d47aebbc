package main

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// site is a bastion, a node behind it, and a target behind that, with the files that
// lead there.
type site struct {
	bastion, node             *sshtest.Server
	target                    string
	knownHosts, key, nodeFile string
}

func newSite(t *testing.T) *site {
	t.Helper()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "node_load1 0.07") }))
	t.Cleanup(target.Close)
	dir, key := t.TempDir(), sshtest.NewKey(t)
	only := sshtest.Options{User: "egress", Keys: []ssh.PublicKey{key.PublicKey()}}
	s := &site{bastion: sshtest.Start(t, only), node: sshtest.Start(t, only), target: target.URL}
	s.key = key.Write(t, dir, "id_ed25519")
	s.knownHosts = filepath.Join(dir, "known_hosts")
	var lines []string
	for _, server := range []*sshtest.Server{s.bastion, s.node} {
		lines = append(lines, knownhosts.Line([]string{server.Addr()}, server.HostKey()))
	}
	sshtest.WriteFile(t, s.knownHosts, []byte(strings.Join(lines, "\n")+"\n"))
	s.nodeFile = filepath.Join(dir, "nodes.yaml")
	sshtest.WriteFile(t, s.nodeFile, []byte("- name: node-1\n  address: "+s.node.Addr()+"\n  hosts: [127.0.0.1]\n"))
	return s
}

func (s *site) run(t *testing.T, url string, more ...string) (string, error) {
	var out bytes.Buffer
	args := append([]string{"-server", s.bastion.Addr(), "-user", "egress", "-known-hosts", s.knownHosts, "-key", s.key}, more...)
	err := run(t.Context(), append(args, url), &out)
	return out.String(), err
}

func TestRun(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	if got, err := s.run(t, s.target); err != nil || got != "node_load1 0.07" {
		t.Errorf("through the bastion: %q, %v", got, err)
	}
	if n := s.node.Accepted(); n != 0 {
		t.Errorf("%d connections to the node", n)
	}
	if got, err := s.run(t, s.target, "-nodes", s.nodeFile); err != nil || got != "node_load1 0.07" {
		t.Errorf("through the bastion and the node: %q, %v", got, err)
	}
	if len(s.node.Logins()) != 1 || len(s.bastion.Logins()) != 2 {
		t.Errorf("%d logins at the node, %d at the bastion", len(s.node.Logins()), len(s.bastion.Logins()))
	}
	if _, err := s.run(t, "http://203.0.113.9/", "-nodes", s.nodeFile); !errors.Is(err, dialer.ErrNoRoute) {
		t.Errorf("a destination on no node: %v", err)
	}
}

func TestRunRefusesAnotherKey(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	s.bastion.SetHostKeys(sshtest.NewKey(t))
	_, err := s.run(t, s.target)
	if ke, ok := errors.AsType[*sshtunnel.HostKeyError](err); !ok || ke.Reason != sshtunnel.ChangedKey {
		t.Errorf("%v", err)
	}
}

func TestRunWants(t *testing.T) {
	for name, args := range map[string][]string{
		"no server":    {"http://127.0.0.1/"},
		"no URL":       {"-server", "a:22"},
		"unknown flag": {"-x"},
		"no file":      {"-server", "a:22", "-known-hosts", "/no/such", "http://127.0.0.1/"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
