package sshtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/testkit"
)

// SSHDOptions describes a real sshd. The zero value lets nobody in.
type SSHDOptions struct {
	// HostKeys are what the server shows; none means a fresh ed25519 key.
	HostKeys []Key
	// HostCertificate is a certificate for the first of HostKeys; nil means none.
	HostCertificate *ssh.Certificate
	// Keys are the user keys accepted, UserCAs sign certificates that are.
	Keys, UserCAs []ssh.PublicKey
	// Host is the address listened on; empty means 127.0.0.1.
	Host string
	// Config are more lines for sshd_config. They come first, and sshd takes
	// the first value it reads.
	Config []string
}

// SSHD is a real OpenSSH server on loopback, with throwaway keys. It lets in the
// user who runs the test, see User. It needs a Linux with openssh-server.
type SSHD struct {
	path, dir, address string
	hostKey            ssh.PublicKey
	log                testkit.Logs

	mu     sync.Mutex
	listen *exec.Cmd // nil after Kill
}

// StartSSHD runs sshd until t's cleanups. A missing sshd fails t.
func StartSSHD(t testing.TB, opts SSHDOptions) *SSHD {
	t.Helper()
	s, err := NewSSHD(t.TempDir(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Kill()
		if t.Failed() {
			t.Logf("sshd said:\n%s", s.log.String())
		}
	})
	return s
}

// NewSSHD runs sshd with its files in dir, until Kill.
func NewSSHD(dir string, opts SSHDOptions) (*SSHD, error) {
	path, err := findSSHD()
	if err != nil {
		return nil, err
	}
	address, err := freeAddress(opts.Host)
	if err != nil {
		return nil, err
	}
	s := &SSHD{path: path, dir: dir, address: address}
	if err := s.configure(opts); err != nil {
		return nil, err
	}
	return s, s.Restart()
}

// findSSHD looks where distributions put sshd, which is often not in a user's
// PATH. The path has to be absolute: sshd runs itself again for each conn.
func findSSHD() (string, error) {
	for _, name := range []string{"sshd", "/usr/sbin/sshd", "/usr/local/sbin/sshd"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	return "", errors.New("there is no sshd; install openssh-server")
}

func freeAddress(host string) (string, error) {
	if host == "" {
		host = "127.0.0.1"
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

func (s *SSHD) configure(opts SSHDOptions) error {
	if len(opts.HostKeys) == 0 {
		key, err := MakeKey()
		if err != nil {
			return err
		}
		opts.HostKeys = []Key{key}
	}
	s.hostKey = opts.HostKeys[0].PublicKey()
	files := map[string][]byte{
		"authorized_keys": authorized(opts.Keys),
		"user_cas":        authorized(opts.UserCAs),
	}
	lines := append([]string(nil), opts.Config...)
	for i, key := range opts.HostKeys {
		name := fmt.Sprintf("host_key_%d", i)
		text, err := key.Text("")
		if err != nil {
			return err
		}
		files[name] = text
		lines = append(lines, "HostKey "+filepath.Join(s.dir, name))
	}
	if opts.HostCertificate != nil {
		files["host_key_0-cert.pub"] = ssh.MarshalAuthorizedKey(opts.HostCertificate)
		lines = append(lines, "HostCertificate "+filepath.Join(s.dir, "host_key_0-cert.pub"))
	}
	lines = append(lines,
		"ListenAddress "+s.address,
		"AuthorizedKeysFile "+filepath.Join(s.dir, "authorized_keys"),
		"TrustedUserCAKeys "+filepath.Join(s.dir, "user_cas"),
		"PidFile none",
		"StrictModes no", // the keys lie below the world-writable temporary directory
		"PermitRootLogin yes",
		"PasswordAuthentication no",
		"KbdInteractiveAuthentication no",
		"UseDNS no",
		"MaxStartups 1000",
		"LogLevel VERBOSE",
	)
	files["sshd_config"] = []byte(strings.Join(lines, "\n") + "\n")
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func authorized(keys []ssh.PublicKey) []byte {
	var b bytes.Buffer
	for _, k := range keys {
		b.Write(ssh.MarshalAuthorizedKey(k))
	}
	return b.Bytes()
}

// Restart runs sshd at the same address as before, and returns when it listens.
func (s *SSHD) Restart() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listen != nil {
		return errors.New("sshtest: sshd runs already")
	}
	if os.Getuid() == 0 {
		// It insists on this directory as root, and only packages that start it
		// as a service create it.
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return err
		}
	}
	cmd := exec.Command(s.path, "-D", "-e", "-f", filepath.Join(s.dir, "sshd_config"))
	cmd.Stdout, cmd.Stderr = &s.log, &s.log
	// Children of a killed sshd may keep the log open.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	s.listen = cmd
	if err := s.awaitListen(); err != nil {
		s.killLocked()
		return fmt.Errorf("sshd does not listen: %w; it said:\n%s", err, s.log.String())
	}
	return nil
}

func (s *SSHD) awaitListen() error {
	for limit := time.Now().Add(10 * time.Second); ; {
		c, err := net.Dial("tcp", s.address)
		if err == nil {
			return c.Close()
		}
		if time.Now().After(limit) {
			return err
		}
		time.Sleep(5 * time.Millisecond) // polling for a start, not for a moment
	}
}

// Kill ends sshd and the processes that serve its conns, at once. It does
// nothing after a Kill.
func (s *SSHD) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.killLocked()
}

func (s *SSHD) killLocked() {
	if s.listen == nil {
		return
	}
	// The listener first, so that no more are born.
	pids := s.signal(syscall.SIGKILL)
	s.listen.Wait()
	s.listen = nil
	for _, pid := range pids {
		for syscall.Kill(pid, 0) == nil && !zombie(pid) {
			time.Sleep(time.Millisecond) // polling for an end
		}
	}
}

// Freeze stops sshd and what serves its conns with SIGSTOP; Thaw lets them go on.
func (s *SSHD) Freeze() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signal(syscall.SIGSTOP)
}

// Thaw ends a Freeze.
func (s *SSHD) Thaw() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signal(syscall.SIGCONT)
}

// signal tells every process of this sshd, parents first, and returns them.
func (s *SSHD) signal(sig syscall.Signal) []int {
	var told []int
	for _, pid := range append([]int{s.listen.Process.Pid}, Descendants(s.listen.Process.Pid)...) {
		if syscall.Kill(pid, sig) == nil {
			told = append(told, pid)
		}
	}
	return told
}

// Addr returns where sshd listens.
func (s *SSHD) Addr() string { return s.address }

// HostKey returns the first key it shows.
func (s *SSHD) HostKey() ssh.PublicKey { return s.hostKey }

// User returns who can log in: sshd that does not run as root can serve nobody
// else.
func (s *SSHD) User() string {
	u, err := user.Current()
	if err != nil {
		return "root"
	}
	return u.Username
}

// PID returns the listening process.
func (s *SSHD) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listen == nil {
		return 0
	}
	return s.listen.Process.Pid
}

// Logged waits until sshd has logged words, or ctx ends.
func (s *SSHD) Logged(ctx context.Context, words string) error {
	for !strings.Contains(s.log.String(), words) {
		if ctx.Err() != nil {
			return fmt.Errorf("sshd did not log %q; it said:\n%s", words, s.log.String())
		}
		time.Sleep(time.Millisecond) // polling
	}
	return nil
}
