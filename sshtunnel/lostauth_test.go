package sshtunnel_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/sshtest"
	"github.com/sallyport/sallyport/sshtunnel"
)

// checkLost wants err to say that the way to the server broke, and not that it
// refused the client.
func checkLost(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, sshtunnel.ErrAuthentication) {
		t.Errorf("got %v, but the server has refused nothing", err)
	}
	if de, ok := errors.AsType[*dialer.Error](err); !ok || !de.At(dialer.HopSSH) || !dialer.Retryable(err) {
		t.Errorf("got %v; want an error of hop ssh, after which another route may be tried", err)
	}
}

// TestHungUpDuringAuthentication: a server that goes away, however it does and
// however far the client has come, has not refused it.
func TestHungUpDuringAuthentication(t *testing.T) {
	for name, knobs := range map[string]sshtest.Knobs{
		"EndAtNone": {HangUpAt: "none"}, "DieAtNone": {HangUpAt: "none", Die: true},
		"EndAtKey": {HangUpAt: "publickey"}, "DieAtKey": {HangUpAt: "publickey", Die: true},
		"Timeout": {StallAuth: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, server := inMemory(t, knobs)
				err := refusedDial(t, d, "tcp", anywhere)
				checkLost(t, err)
				want := dialer.Reset
				if knobs.StallAuth {
					want = dialer.Timeout
				}
				if kind := dialer.KindOf(err); kind != want {
					t.Errorf("%v is of kind %v, want %v", err, kind, want)
				}
				if n := len(server.Logins()); n != 0 {
					t.Errorf("%d logins", n)
				}
			})
		})
	}
}

// TestTooManyFailures: a server that disconnects because the client has failed too
// often has refused it, and says so in its words.
func TestTooManyFailures(t *testing.T) {
	tooManyFailures(t, startOurs(t, endpointOptions{knobs: sshtest.Knobs{RefuseProof: true}}), userKey())
}

func tooManyFailures(t *testing.T, ep endpoint, bad ...ssh.Signer) {
	t.Helper()
	d := through(t, ep, func(c *sshtunnel.Config) {
		c.Credentials = credentials(sshtunnel.StaticSigners(append(bad, userKey())...))
	})
	err := refusedDial(t, d, "tcp", "127.0.0.1:1")
	for _, words := range []string{"oo many authentication failures", ssh.FingerprintSHA256(bad[0].PublicKey())} {
		if !errors.Is(err, sshtunnel.ErrAuthentication) || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v; want ErrAuthentication with %q", err, words)
		}
	}
}

// TestLostDuringAuthentication: the server goes away while the client signs.
func TestLostDuringAuthentication(t *testing.T) {
	ep := startOurs(t, endpointOptions{}).(ours)
	lostDuringAuthentication(t, ep, ep.DropConns)
}

// lostDuringAuthentication has lose called when the client signs, after which there
// is no connection any more.
func lostDuringAuthentication(t *testing.T, ep endpoint, lose func()) {
	t.Helper()
	d := through(t, ep, func(c *sshtunnel.Config) {
		c.Credentials = credentials(sshtunnel.StaticSigners(signer{userKey(), lose}))
	})
	err := refusedDial(t, d, "tcp", "127.0.0.1:1")
	checkLost(t, err)
	if kind := dialer.KindOf(err); kind != dialer.Reset {
		t.Errorf("%v is of kind %v, want reset", err, kind)
	}
}

// signer does something before it signs.
type signer struct {
	ssh.Signer
	before func()
}

func (s signer) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	s.before()
	return s.Signer.Sign(rand, data)
}

// TestDisconnectedBeforeKeys: a server that disconnects before it has proved itself
// has refused nobody, whatever its words.
func TestDisconnectedBeforeKeys(t *testing.T) {
	for name, message := range map[string]string{
		"busy": "too many connections", "lie": "too many authentication failures", "worse": `ssh: unable to authenticate, "`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, _ := inMemory(t, sshtest.Knobs{}, func(c *sshtunnel.Config) { c.Via = disconnecting(message) })
				err := refusedDial(t, d, "tcp", anywhere)
				checkLost(t, err)
				if !errors.Is(err, dialer.ErrReset) || !strings.Contains(err.Error(), strings.TrimSuffix(message, `"`)) {
					t.Errorf("got %v; want a reset with the server's words", err)
				}
			})
		})
	}
}

// disconnecting is a way to a server that says nothing but goodbye.
type disconnecting string

func (message disconnecting) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	packet := ssh.Marshal(struct {
		Reason            uint32 `sshtype:"1"`
		Message, Language string
	}{12, string(message), ""})
	padding := 8 - (5+len(packet))%8 + 8 // as the protocol wants it
	near, far := sshtest.Pipe()
	frame := binary.BigEndian.AppendUint32(nil, uint32(1+len(packet)+padding))
	frame = append(append(frame, byte(padding)), packet...)
	frame = append(frame, make([]byte, padding)...)
	_, err := far.Write(append([]byte("SSH-2.0-Goodbye\r\n"), frame...))
	far.CloseWrite()
	return near, err
}
