package sshtunnel

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
)

func TestTargets(t *testing.T) {
	for _, tt := range []struct {
		network, address string
		channel          string // empty where it is refused
		host             string
		port             uint32
	}{
		{"tcp", "web:80", channelTCP, "web", 80},
		{"tcp", "web:http", channelTCP, "web", 80},
		{"tcp", "192.0.2.1:80", channelTCP, "192.0.2.1", 80},
		{"tcp", "[2001:db8::1]:80", channelTCP, "2001:db8::1", 80},
		{"tcp4", "192.0.2.1:80", channelTCP, "192.0.2.1", 80},
		{"tcp6", "[2001:db8::1]:80", channelTCP, "2001:db8::1", 80},
		{"unix", "/run/x.sock", channelUnix, "/run/x.sock", 0},
		{"tcp4", "[2001:db8::1]:80", "", "", 0},
		{"tcp6", "192.0.2.1:80", "", "", 0},
		{"tcp4", "web:80", "", "", 0},
		{"tcp6", "web:80", "", "", 0},
		{"tcp", "web", "", "", 0},
		{"tcp", ":80", "", "", 0},
		{"tcp", "web:", "", "", 0},
		{"tcp", "web:0", "", "", 0},
		{"tcp", "web:65536", "", "", 0},
		{"tcp", "web:nonsuchservice", "", "", 0},
		{"udp", "web:80", "", "", 0},
		{"", "web:80", "", "", 0},
		{"unix", "relative", "", "", 0},
		{"unix", "", "", "", 0},
		{"unix", "/run/\x00x", "", "", 0},
	} {
		got, err := newTarget(tt.network, tt.address)
		if (err == nil) != (tt.channel != "") || got.channel != tt.channel {
			t.Errorf("%s %s: channel %q, %v", tt.network, tt.address, got.channel, err)
			continue
		}
		if err != nil {
			continue
		}
		var msg struct {
			Host string
			Rest []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(got.payload, &msg); err != nil || msg.Host != tt.host {
			t.Errorf("%s %s: asks for %q, %v", tt.network, tt.address, msg.Host, err)
		}
		if tt.channel == channelTCP && binary.BigEndian.Uint32(msg.Rest) != tt.port {
			t.Errorf("%s %s: asks for port %d", tt.network, tt.address, binary.BigEndian.Uint32(msg.Rest))
		}
		if got.addr == nil || !strings.HasPrefix(tt.network, got.addr.Network()) {
			t.Errorf("%s %s: the address is %v", tt.network, tt.address, got.addr)
		}
	}
}

// TestRefusals: the words of servers, as kinds and hops.
func TestRefusals(t *testing.T) {
	tcp, unix := target{channel: channelTCP}, target{channel: channelUnix}
	for _, tt := range []struct {
		t         target
		reason    ssh.RejectionReason
		message   string
		kind      dialer.Kind
		hop       string
		retryable bool
	}{
		{tcp, ssh.Prohibited, "open failed", dialer.Denied, dialer.HopSSH, false},
		{tcp, ssh.ConnectionFailed, "Connection refused", dialer.Refused, dialer.HopTarget, false},
		{tcp, ssh.ConnectionFailed, "Connection timed out", dialer.Timeout, dialer.HopTarget, true},
		{tcp, ssh.ConnectionFailed, "No route to host", dialer.Unreachable, dialer.HopTarget, true},
		{tcp, ssh.ConnectionFailed, "Network is unreachable", dialer.Unreachable, dialer.HopTarget, true},
		{tcp, ssh.ConnectionFailed, "Name or service not known", dialer.NoSuchHost, dialer.HopTarget, false},
		{tcp, ssh.ConnectionFailed, "No address associated with hostname", dialer.NoSuchHost, dialer.HopTarget, false},
		{tcp, ssh.ConnectionFailed, "dial tcp: lookup x: no such host", dialer.NoSuchHost, dialer.HopTarget, false},
		{tcp, ssh.ConnectionFailed, "Permission denied", dialer.Denied, dialer.HopTarget, false},
		{tcp, ssh.ConnectionFailed, "open failed", dialer.Other, dialer.HopTarget, true},
		{tcp, ssh.ConnectionFailed, "", dialer.Other, dialer.HopTarget, true},
		{unix, ssh.ConnectionFailed, "open failed", dialer.Refused, dialer.HopTarget, false},
		{unix, ssh.UnknownChannelType, "unsupported channel type", dialer.Other, dialer.HopSSH, true},
		{tcp, ssh.ResourceShortage, "Connection refused", dialer.Other, dialer.HopSSH, true},
		{tcp, 99, "whatever", dialer.Other, dialer.HopSSH, true},
	} {
		err := refusal("bastion:22", tt.t, &ssh.OpenChannelError{Reason: tt.reason, Message: tt.message})
		if dialer.KindOf(err) != tt.kind || !err.At(tt.hop) || dialer.Retryable(err) != tt.retryable {
			t.Errorf("%v %q: kind %v at %q, retryable %v; want %v at %q, %v", tt.reason, tt.message,
				dialer.KindOf(err), err.Hop, dialer.Retryable(err), tt.kind, tt.hop, tt.retryable)
		}
	}
}

// TestServersWordsAreHarmless: they end up in logs and terminals.
func TestServersWordsAreHarmless(t *testing.T) {
	err := refusal("s:22", target{}, &ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "a\nb\x1b[31m\x00\u009b\xff" + strings.Repeat("x", 10_000)})
	text := err.Error()
	if strings.ContainsAny(text, "\n\x1b\x00\u009b") || !utf8.ValidString(text) || len(text) > 2*maxMessage {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}

// offerOf is the beginning of a connection with the given key exchange methods.
func offerOf(methods string) []byte {
	payload := append([]byte{msgKexInit}, make([]byte, 16)...)
	payload = append(payload, ssh.Marshal(struct{ Methods string }{methods})...)
	payload = append(payload, make([]byte, 9*4+5)...)
	packet := binary.BigEndian.AppendUint32(nil, uint32(len(payload)+1+4))
	packet = append(append(packet, 4), payload...)
	return append([]byte("SSH-2.0-x\r\n"), append(packet, make([]byte, 4)...)...)
}

// TestOffer: the strict key exchange is found in whatever pieces the offer comes,
// and in nothing that is not an offer.
func TestOffer(t *testing.T) {
	strict := offerOf("curve25519-sha256,kex-strict-s-v00@openssh.com")
	for name, tt := range map[string]struct {
		data         []byte
		over, strict bool
	}{
		"strict":           {strict, true, true},
		"behind a banner":  {append([]byte("Welcome\r\nto SSH\r\n"), strict...), true, true},
		"not strict":       {offerOf("curve25519-sha256"), true, false},
		"the client's":     {offerOf("kex-strict-c-v00@openssh.com"), true, false},
		"part of a name":   {offerOf("xkex-strict-s-v00@openssh.com"), true, false},
		"cut off":          {strict[:len(strict)-1], false, false},
		"empty packet":     {[]byte("SSH-2.0-x\n\x00\x00\x00\x00\x00"), true, false},
		"endless padding":  {[]byte("SSH-2.0-x\n\x00\x00\x00\x02\xff"), true, false},
		"another message":  {[]byte("SSH-2.0-x\n\x00\x00\x00\x02\x00\x02"), true, false},
		"a huge packet":    {append([]byte("SSH-2.0-x\n\xff\xff\xff\xff\x00"), make([]byte, maxOffer)...), true, false},
		"nothing to speak": {bytes.Repeat([]byte("no"), maxOffer), true, false},
		"a list too long":  {[]byte("SSH-2.0-x\n\x00\x00\x00\x16\x00\x14" + strings.Repeat("c", 16) + "\xff\xff\xff\xff"), true, false},
	} {
		for _, piece := range []int{1, 7, len(tt.data)} {
			var o offer
			for p := tt.data; len(p) > 0; {
				n := min(piece, len(p))
				o.see(p[:n])
				p = p[n:]
			}
			if o.over != tt.over || o.strict != tt.strict {
				t.Errorf("%s in pieces of %d: over %v, strict %v; want %v, %v", name, piece, o.over, o.strict, tt.over, tt.strict)
			}
			if o.over && o.buf != nil {
				t.Errorf("%s: %d bytes are kept", name, len(o.buf))
			}
		}
	}
}
