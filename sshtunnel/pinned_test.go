package sshtunnel

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/sshtest"
)

func TestPinnedKeys(t *testing.T) {
	a, b := sshtest.NewKey(t).PublicKey(), sshtest.NewECDSAKey(t).PublicKey()
	text := func(k ssh.PublicKey) string { return string(ssh.MarshalAuthorizedKey(k)) }
	for name, s := range map[string]string{
		"a key":                  text(a),
		"a key with a comment":   strings.TrimSpace(text(a)) + " root@bastion\n",
		"a fingerprint":          ssh.FingerprintSHA256(a),
		"a padded fingerprint":   ssh.FingerprintSHA256(a) + "=",
		"a type and fingerprint": "ssh-ed25519 " + ssh.FingerprintSHA256(a),
		"among others":           "# the bastion\n\n" + text(sshtest.NewKey(t).PublicKey()) + text(a),
	} {
		k, err := ParsePinnedKeys(s)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := k.Verify("any:22", nowhere, a); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		hk, ok := errors.AsType[*HostKeyError](k.Verify("any:22", nowhere, b))
		if !ok || hk.Reason != ChangedKey || !strings.Contains(hk.Error(), ssh.FingerprintSHA256(a)) {
			t.Errorf("%s: another key: %v", name, hk)
		}
	}
	for _, s := range []string{
		"", "# none", "SHA256:AAAA", "MD5:00:11", "nonsense", "ssh-dss " + ssh.FingerprintSHA256(a),
		"no-pty " + text(a), text(sshtest.HostCertificate(t, sshtest.NewKey(t), sshtest.NewKey(t), "x").PublicKey()),
	} {
		if _, err := ParsePinnedKeys(s); err == nil {
			t.Errorf("%q is taken", s)
		}
	}
}

func TestPinnedAlgorithms(t *testing.T) {
	a := sshtest.NewKey(t).PublicKey()
	if got := PinnedKeys(a).Algorithms("x:22"); !slices.Equal(got, []string{ssh.KeyAlgoED25519}) {
		t.Errorf("of a key: %v", got)
	}
	k, err := ParsePinnedKeys(ssh.FingerprintSHA256(a))
	if err != nil {
		t.Fatal(err)
	}
	if got := k.Algorithms("x:22"); !slices.Equal(got, append(plainKeys(), ssh.KeyAlgoRSA)) {
		t.Errorf("of a fingerprint: %v, want all of keys", got)
	}
	if got := HostCertificates(a).Algorithms("x:22"); !slices.Equal(got, append(certificates(), ssh.CertAlgoRSAv01)) {
		t.Errorf("of an authority: %v, want all of certificates", got)
	}
}

func TestHostCertificates(t *testing.T) {
	ca, other, key := sshtest.NewKey(t), sshtest.NewKey(t), sshtest.NewKey(t)
	k := HostCertificates(ca.PublicKey())
	weak, err := ssh.NewSignerWithAlgorithms(rsaKey(t, 2048).(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSA})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, address string
		by            HostKeys
		key           ssh.PublicKey
		want          HostKeyReason // zero when it is taken
	}{
		{"valid", "bastion:22", k, sshtest.HostCertificate(t, ca, key, "bastion").PublicKey(), 0},
		{"in upper case", "BASTION:2222", k, sshtest.HostCertificate(t, ca, key, "bastion").PublicKey(), 0},
		{"an address", "[2001:DB8::0:1]:22", k, sshtest.HostCertificate(t, ca, key, "2001:db8::1").PublicKey(), 0},
		{"of another host", "bastion:22", k, sshtest.HostCertificate(t, ca, key, "other").PublicKey(), BadCertificate},
		{"of a user", "bastion:22", k, sshtest.UserCertificate(t, ca, key, "bastion").PublicKey(), BadCertificate},
		{"by a stranger", "bastion:22", k, sshtest.HostCertificate(t, other, key, "bastion").PublicKey(), ChangedKey},
		{"a bare key", "bastion:22", k, key.PublicKey(), ChangedKey},
		{"the authority's own key", "bastion:22", k, ca.PublicKey(), ChangedKey},
		{"signed with SHA-1", "bastion:22", HostCertificates(weak.PublicKey()), sshtest.HostCertificate(t, weak, key, "bastion").PublicKey(), BadCertificate},
	} {
		err := tt.by.Verify(tt.address, nowhere, tt.key)
		hk, _ := errors.AsType[*HostKeyError](err)
		if (err == nil) != (tt.want == 0) || err != nil && (hk == nil || hk.Reason != tt.want) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}
