//go:build sshd

package main

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/leak"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// The command as it is meant to be used: through OpenSSH's server, and through
// another one behind that.
func TestSSHDBastion(t *testing.T) {
	leak.Check(t)
	dir, key := t.TempDir(), sshtest.NewKey(t)
	only := sshtest.SSHDOptions{Keys: []ssh.PublicKey{key.PublicKey()}}
	bastion, node := sshtest.StartSSHD(t, only), sshtest.StartSSHD(t, only)
	args := []string{
		"-server", bastion.Addr(), "-user", bastion.User(), "-key", key.Write(t, dir, "id_ed25519"),
		"-known-hosts", knownHosts(t, dir, bastion, node),
	}
	target := startTarget(t)
	for name, more := range map[string][]string{
		"through the bastion": nil,
		"through both":        {"-nodes", nodesFile(t, dir, node)},
	} {
		var out bytes.Buffer
		if err := run(t.Context(), append(append(args[:len(args):len(args)], more...), target), &out); err != nil || out.String() != metrics {
			t.Errorf("%s: %q, %v", name, &out, err)
		}
	}
	sshtest.WriteFile(t, filepath.Join(dir, "known_hosts"), []byte(knownLine(bastion.Addr(), key.PublicKey())))
	err := run(t.Context(), append(args, target), new(bytes.Buffer))
	if ke, ok := errors.AsType[*sshtunnel.HostKeyError](err); !ok || ke.Reason != sshtunnel.ChangedKey {
		t.Errorf("with another key in known_hosts: %v", err)
	}
}
