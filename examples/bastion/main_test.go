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
	dir, key := t.TempDir(), sshtest.NewKey(t)
	only := sshtest.Options{User: "egress", Keys: []ssh.PublicKey{key.PublicKey()}}
	s := &site{target: startTarget(t), bastion: sshtest.Start(t, only), node: sshtest.Start(t, only)}
	s.key = key.Write(t, dir, "id_ed25519")
	s.knownHosts = knownHosts(t, dir, s.bastion, s.node)
	s.nodeFile = nodesFile(t, dir, s.node)
	return s
}

// metrics is what the target says.
const metrics = "node_load1 0.07"

// startTarget returns the URL of a target.
func startTarget(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, metrics) }))
	t.Cleanup(s.Close)
	return s.URL
}

// server is an SSH server, ours or OpenSSH's.
type server interface {
	Addr() string
	HostKey() ssh.PublicKey
}

// knownHosts writes a file with the keys of servers.
func knownHosts(t *testing.T, dir string, servers ...server) (path string) {
	t.Helper()
	var lines string
	for _, s := range servers {
		lines += knownLine(s.Addr(), s.HostKey())
	}
	path = filepath.Join(dir, "known_hosts")
	sshtest.WriteFile(t, path, []byte(lines))
	return path
}

func knownLine(address string, key ssh.PublicKey) string {
	return knownhosts.Line([]string{address}, key) + "\n"
}

// nodesFile writes a list in which all of 127.0.0.1 is on s.
func nodesFile(t *testing.T, dir string, s server) (path string) {
	t.Helper()
	path = filepath.Join(dir, "nodes.yaml")
	sshtest.WriteFile(t, path, []byte("- name: node-1\n  address: "+s.Addr()+"\n  hosts: [127.0.0.1]\n"))
	return path
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
	if got, err := s.run(t, s.target); err != nil || got != metrics {
		t.Errorf("through the bastion: %q, %v", got, err)
	}
	if n := s.node.Accepted(); n != 0 {
		t.Errorf("%d connections to the node", n)
	}
	if got, err := s.run(t, s.target, "-nodes", s.nodeFile); err != nil || got != metrics {
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

func TestRunRefusesOtherStatus(t *testing.T) {
	leak.Check(t)
	s := newSite(t)
	missing := httptest.NewServer(http.NotFoundHandler())
	defer missing.Close()
	if got, err := s.run(t, missing.URL); err == nil || !strings.Contains(err.Error(), "404 Not Found") || got != "" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestRunWants(t *testing.T) {
	t.Setenv("SSH_AUTH_SOCK", "")
	dir, key := t.TempDir(), sshtest.NewKey(t)
	hosts, locked := filepath.Join(dir, "known_hosts"), filepath.Join(dir, "locked")
	sshtest.WriteFile(t, hosts, []byte(knownLine("a:22", key.PublicKey())))
	sshtest.WriteFile(t, locked, key.PEM(t, "a passphrase"))
	for want, args := range map[string][]string{
		"want -server":     {"http://127.0.0.1/"},
		"one URL":          {"-server", "a:22"},
		"not defined: -x":  {"-x"},
		"/no/such":         {"-server", "a:22", "-known-hosts", "/no/such", "http://127.0.0.1/"},
		"want -key":        {"-server", "a:22", "-known-hosts", hosts, "http://127.0.0.1/"},
		"with ssh-add":     {"-server", "a:22", "-known-hosts", hosts, "-key", locked, "http://127.0.0.1/"},
		"/no/such/private": {"-server", "a:22", "-known-hosts", hosts, "-key", "/no/such/private", "http://127.0.0.1/"},
	} {
		if err := run(t.Context(), args, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", args, err, want)
		}
	}
	if err := run(t.Context(), []string{"-h"}, io.Discard); err != nil {
		t.Errorf("-h: %v", err)
	}
}
