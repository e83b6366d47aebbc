package sshtunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
)

// TestExplain: what a handshake ended with, in the words of package ssh, tells a
// refusal of the client from a server that went away. The server has proved itself.
func TestExplain(t *testing.T) {
	key, err := ssh.ParsePublicKey(append([]byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"), make([]byte, 32)...))
	if err != nil {
		t.Fatal(err)
	}
	disconnect := func(reason int, message string) error {
		return fmt.Errorf("ssh: disconnect, reason %d: %q", reason, message)
	}
	for _, tt := range []struct {
		name    string
		err     error
		refused bool
		kind    dialer.Kind
		words   string
	}{
		{"no method left", errors.New("ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain"), true, dialer.Other, "user \"me\""},
		{"no common algorithm", errors.New("ssh: no common public key signature algorithm, server only supports \"x\""), true, dialer.Other, ""},
		{"too many failures", disconnect(2, "Too many authentication failures"), true, dialer.Other, `"Too many authentication failures"`},
		{"too many failures of old", disconnect(2, "Too many authentication failures for root"), true, dialer.Other, ""},
		{"no more methods", disconnect(14, "no"), true, dialer.Other, ""},
		{"illegal user", disconnect(15, ""), true, dialer.Other, ""},
		{"shutting down", disconnect(11, "bye\x1b[31m"), false, dialer.Reset, "reason 11, \"bye [31m\""},
		{"lost", disconnect(10, ""), false, dialer.Reset, ""},
		{"protocol error", disconnect(2, "Bad packet length 1349676916."), false, dialer.Reset, "Bad packet length"},
		{"words of another", disconnect(11, "ssh: unable to authenticate, attempted methods"), false, dialer.Reset, ""},
		{"EOF", io.EOF, false, dialer.Reset, ""},
		{"reset", syscall.ECONNRESET, false, dialer.Reset, ""},
		{"broken pipe", syscall.EPIPE, false, dialer.Reset, ""},
		{"timed out", syscall.ETIMEDOUT, false, dialer.Timeout, ""},
		{"agent", errors.New("agent: it is unable to authenticate, says its key"), false, dialer.Other, "its key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := &proof{cfg: &Config{User: "me"}}
			p.key.Store(&key)
			got := p.explain(context.Background(), fmt.Errorf("ssh: handshake failed: %w", tt.err))
			if errors.Is(got, ErrAuthentication) != tt.refused || dialer.KindOf(got) != tt.kind || !strings.Contains(got.Error(), tt.words) {
				t.Errorf("got %v of kind %v; want it refused: %t, of kind %v, with %q", got, dialer.KindOf(got), tt.refused, tt.kind, tt.words)
			}
		})
	}
}
