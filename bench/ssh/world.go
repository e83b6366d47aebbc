package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// way is one of those that are compared.
type way struct {
	name string
	dial func(ctx context.Context) (net.Conn, error) // to the target
	// client is the process on this side that is not this one, 0 where there is
	// none.
	client int
}

// world is everything that runs during the measurement.
type world struct {
	dir    string
	sshd   *sshtest.SSHD
	ways   []way
	tunnel *sshtunnel.Dialer
	ends   []func() // in the order in which they were set up
}

const (
	theirs = "`ssh -L`"
	our    = "sshtunnel"
	plain  = "x/crypto/ssh"
)

func newWorld(ctx context.Context, cipher string) (w *world, err error) {
	w = new(world)
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.dir, err = os.MkdirTemp("", "bench-ssh"); err != nil {
		return nil, err
	}
	w.ends = append(w.ends, func() { os.RemoveAll(w.dir) })
	target, err := w.startTarget()
	if err != nil {
		return nil, err
	}
	key, err := sshtest.MakeKey()
	if err != nil {
		return nil, err
	}
	w.sshd, err = sshtest.NewSSHD(w.dir, sshtest.SSHDOptions{
		Keys: []ssh.PublicKey{key.PublicKey()}, Config: []string{"Ciphers " + cipher, "LogLevel ERROR"},
	})
	if err != nil {
		return nil, err
	}
	w.ends = append(w.ends, w.sshd.Kill)
	forward, err := w.startSSH(key, cipher, target)
	if err != nil {
		return nil, err
	}
	w.tunnel, err = sshtunnel.New(sshtunnel.Config{
		Address: w.sshd.Addr(), User: w.sshd.User(),
		HostKeys:    sshtunnel.PinnedKeys(w.sshd.HostKey()),
		Credentials: []sshtunnel.Credentials{sshtunnel.StaticSigners(key)},
	})
	if err != nil {
		return nil, err
	}
	w.ends = append(w.ends, func() { w.tunnel.Close() })
	bare, err := w.startPlain(key, cipher, target)
	if err != nil {
		return nil, err
	}
	w.ways = append(w.ways, forward, way{name: our, dial: dialing(w.tunnel, target)}, bare)
	return w, nil
}

// close ends everything, last first.
func (w *world) close() {
	for i := len(w.ends) - 1; i >= 0; i-- {
		w.ends[i]()
	}
}

func dialing(d dialer.Dialer, address string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", address) }
}

// start runs cmd until the world ends.
func (w *world) start(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	w.ends = append(w.ends, func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return nil
}

// startTarget runs the target as a process of its own, whose work is in no
// figure, and returns its address.
func (w *world) startTarget() (address string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(self, targetMode)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := w.start(cmd); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line), err
}

// startSSH runs ssh -L as people do, but for the files of their own.
func (w *world) startSSH(key sshtest.Key, cipher, target string) (way, error) {
	text, err := key.Text("")
	if err != nil {
		return way{}, err
	}
	identity, known := filepath.Join(w.dir, "id"), filepath.Join(w.dir, "known_hosts")
	host, port, err := net.SplitHostPort(w.sshd.Addr())
	if err != nil {
		return way{}, err
	}
	line := fmt.Sprintf("[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(w.sshd.HostKey()))
	if err := errors.Join(os.WriteFile(identity, text, 0o600), os.WriteFile(known, []byte(line), 0o600)); err != nil {
		return way{}, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return way{}, err
	}
	local := ln.Addr().String()
	ln.Close()
	cmd := exec.Command("ssh", "-N", "-F", "none", "-i", identity, "-p", port, "-l", w.sshd.User(), "-c", cipher,
		"-o", "IdentitiesOnly=yes", "-o", "UserKnownHostsFile="+known, "-o", "StrictHostKeyChecking=yes",
		"-o", "ExitOnForwardFailure=yes", "-o", "BatchMode=yes", "-L", local+":"+target, host)
	cmd.Stderr = os.Stderr
	if err := w.start(cmd); err != nil {
		return way{}, err
	}
	for limit := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("tcp", local)
		if err == nil {
			c.Close()
			break
		}
		if time.Now().After(limit) {
			return way{}, fmt.Errorf("ssh -L does not listen: %w", err)
		}
		time.Sleep(10 * time.Millisecond) // polling for a start
	}
	dial := func(ctx context.Context) (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", local) }
	return way{name: theirs, dial: dial, client: cmd.Process.Pid}, nil
}
