package sshtunnel

import (
	"encoding/base64"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/sallyport/sallyport/internal/sshtest"
)

// line is a line of a known_hosts file.
func hostLine(key ssh.PublicKey, before ...string) string {
	return strings.Join(before, " ") + " " + string(ssh.MarshalAuthorizedKey(key))
}

func knownHostsFile(t testing.TB, lines ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	sshtest.WriteFile(t, file, []byte(strings.Join(lines, "")))
	return file
}

func mustKnownHosts(t testing.TB, lines ...string) *KnownHosts {
	t.Helper()
	k, err := NewKnownHosts([]string{knownHostsFile(t, lines...)}, FileOptions{Recheck: -1})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var nowhere = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 22}

func TestKnownHostsNames(t *testing.T) {
	key := sshtest.NewKey(t).PublicKey()
	for _, tt := range []struct {
		hosts, address string
		want           bool
	}{
		{"bastion", "bastion:22", true},
		{"bastion", "BASTION:22", true},
		{"Bastion", "bastion:22", true},
		{"bastion", "bastion:2222", false},
		{"[bastion]:2222", "bastion:2222", true},
		{"[bastion]:22", "bastion:22", true},
		{"[bastion]:2222", "bastion:22", false},
		{"other,bastion", "bastion:22", true},
		{"other", "bastion:22", false},
		{"*.example.com", "a.example.com:22", true},
		{"*.example.com", "example.com:22", false},
		{"*.example.com", "a.example.com.evil:22", false},
		{"[*.example.com]:2222", "a.example.com:2222", true},
		{"*.example.com,!b.example.com", "b.example.com:22", false},
		{"!b.example.com,*.example.com", "b.example.com:22", false},
		{"!b.example.com", "a.example.com:22", false},
		{"node-?", "node-1:22", true},
		{"node-?", "node-10:22", false},
		{"*a*b*c*", "xaxbxcx:22", true},
		{"*a*b*c", "xaxbxcx:22", false},
		{"2001:db8::1", "[2001:db8::1]:22", true},
		{"2001:DB8:0::1", "[2001:db8::1]:22", true},
		{"2001:db8::1", "[2001:db8:0:0::1]:22", true},
		{"[2001:db8::1]:2222", "[2001:db8::1]:2222", true},
		{"[2001:db8::1]:2222", "[2001:db8::2]:2222", false},
		{"192.0.2.1", "192.0.2.1:22", true},
		{knownhosts.HashHostname("bastion"), "bastion:22", true},
		{knownhosts.HashHostname("bastion"), "other:22", false},
		{knownhosts.HashHostname("[bastion]:2222"), "bastion:2222", true},
		{knownhosts.HashHostname("2001:db8::1"), "[2001:db8::1]:22", true},
	} {
		k := mustKnownHosts(t, hostLine(key, tt.hosts))
		err := k.Verify(tt.address, nowhere, key)
		if (err == nil) != tt.want {
			t.Errorf("%s, known as %s: %v", tt.address, tt.hosts, err)
		}
		if known := len(k.Algorithms(tt.address)) > 0; known != tt.want {
			t.Errorf("%s, known as %s: algorithms %v", tt.address, tt.hosts, k.Algorithms(tt.address))
		}
	}
}

// TestKnownHostsIsNoLaxer holds the verdicts against those of package knownhosts:
// whatever is taken here is taken there.
func TestKnownHostsIsNoLaxer(t *testing.T) {
	a, b, c := sshtest.NewKey(t), sshtest.NewKey(t), sshtest.NewECDSAKey(t)
	ca, rogue := sshtest.NewKey(t), sshtest.NewKey(t)
	file := knownHostsFile(t, "# comment\n\n",
		hostLine(a.PublicKey(), "one,[two]:2222"),
		hostLine(c.PublicKey(), "one"),
		hostLine(b.PublicKey(), knownhosts.HashHostname("three")),
		hostLine(ca.PublicKey(), "@cert-authority", "*.ca"),
		hostLine(rogue.PublicKey(), "@revoked", "*"),
		hostLine(rogue.PublicKey(), "one"),
		hostLine(rogue.PublicKey(), "@cert-authority", "*.rogue"),
	)
	ours, err := NewKnownHosts([]string{file}, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := knownhosts.New(file)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]ssh.PublicKey{
		"a": a.PublicKey(), "b": b.PublicKey(), "c": c.PublicKey(), "ca": ca.PublicKey(), "rogue": rogue.PublicKey(),
		"cert":        sshtest.HostCertificate(t, ca, b, "x.ca", "x.rogue", "one").PublicKey(),
		"certofother": sshtest.HostCertificate(t, ca, b, "y.ca").PublicKey(),
		"roguecert":   sshtest.HostCertificate(t, rogue, b, "x.ca", "x.rogue").PublicKey(),
		"certrogue":   sshtest.HostCertificate(t, ca, rogue, "x.ca").PublicKey(),
		"usercert":    sshtest.UserCertificate(t, ca, b, "x.ca").PublicKey(),
	}
	taken := 0
	for _, address := range []string{"one:22", "two:22", "two:2222", "three:22", "x.ca:22", "x.rogue:22", "else:22"} {
		for name, key := range keys {
			ourErr, theirErr := ours.Verify(address, nowhere, key), theirs(address, nowhere, key)
			if ourErr == nil {
				taken++ // what is refused alone would be no laxer either
			}
			if ourErr == nil && theirErr != nil {
				t.Errorf("%s shows %s: %v, and package knownhosts says %v", address, name, ourErr, theirErr)
			}
		}
	}
	if taken != 5 { // a and c of one, a of two:2222, b of three, cert of x.ca
		t.Errorf("%d were taken, want 5", taken)
	}
}

// TestHostKeyErrorTellsWhatWasExpected: the operator sees what to look for, and
// where.
func TestHostKeyErrorTellsWhatWasExpected(t *testing.T) {
	known, shown, ca := sshtest.NewKey(t).PublicKey(), sshtest.NewKey(t), sshtest.NewKey(t)
	k := mustKnownHosts(t, "# one\n",
		hostLine(known, "bastion"),
		hostLine(ca.PublicKey(), "@cert-authority", "bastion"),
		hostLine(shown.PublicKey(), "@revoked", "elsewhere"))
	for _, tt := range []struct {
		name   string
		key    ssh.PublicKey
		host   string
		reason HostKeyReason
		words  []string
	}{
		{"changed", sshtest.NewKey(t).PublicKey(), "bastion:22", ChangedKey,
			[]string{"bastion:22", "known_hosts:2", "known_hosts:3", ssh.FingerprintSHA256(known), "ssh-ed25519", ssh.FingerprintSHA256(ca.PublicKey())}},
		{"unknown", sshtest.NewKey(t).PublicKey(), "stranger:22", UnknownHost, []string{"stranger:22", "no key is known"}},
		{"revoked", shown.PublicKey(), "bastion:22", RevokedKey, []string{"revoked", "known_hosts:4", ssh.FingerprintSHA256(shown.PublicKey())}},
		{"revoked in a certificate", sshtest.HostCertificate(t, ca, shown, "bastion").PublicKey(), "bastion:22", RevokedKey, []string{"revoked"}},
		{"by a revoked authority", sshtest.HostCertificate(t, shown, ca, "bastion").PublicKey(), "bastion:22", RevokedKey, []string{"revoked"}},
		{"for another host", sshtest.HostCertificate(t, ca, sshtest.NewKey(t), "other").PublicKey(), "bastion:22", BadCertificate, []string{"not valid", "other"}},
	} {
		err := k.Verify(tt.host, nowhere, tt.key)
		hk, ok := errors.AsType[*HostKeyError](err)
		if !ok || hk.Reason != tt.reason {
			t.Errorf("%s: got %v", tt.name, err)
			continue
		}
		if !strings.Contains(err.Error(), ssh.FingerprintSHA256(bareKey(tt.key))) {
			t.Errorf("%s: the key that was shown is not in %v", tt.name, err)
		}
		for _, w := range tt.words {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is not in %v", tt.name, w, err)
			}
		}
	}
}

func bareKey(key ssh.PublicKey) ssh.PublicKey {
	if cert, ok := key.(*ssh.Certificate); ok {
		return cert.Key
	}
	return key
}

// TestKnownHostsDamaged: a file that cannot be understood in full is not used,
// for the line that is skipped may be a revocation.
func TestKnownHostsDamaged(t *testing.T) {
	key := sshtest.NewKey(t).PublicKey()
	good := hostLine(key, "bastion")
	blob := strings.Fields(string(ssh.MarshalAuthorizedKey(key)))[1]
	cert := sshtest.HostCertificate(t, sshtest.NewKey(t), sshtest.NewKey(t), "x").PublicKey()
	for name, line := range map[string]string{
		"no key":           "bastion ssh-ed25519\n",
		"not base64":       "bastion ssh-ed25519 !!!\n",
		"cut off":          "bastion ssh-ed25519 " + blob[:20] + "\n",
		"another type":     "bastion ecdsa-sha2-nistp256 " + blob + "\n",
		"unknown marker":   hostLine(key, "@trusted", "bastion"),
		"marker alone":     "@revoked\n",
		"damaged hash":     hostLine(key, "|1|AAAA|AAAA"),
		"unknown hash":     hostLine(key, "|2|AAAA|AAAA"),
		"empty negation":   hostLine(key, "!"),
		"no host":          hostLine(key, ","),
		"revoked cert":     hostLine(cert, "@revoked", "*"),
		"byte order mark":  hostLine(key, "\ufeff@revoked", "*"),
		"marker behind":    hostLine(key, "bastion", "@revoked"),
		"misspelled type":  "@revoked * ssh-ed25591 " + blob + "\n",
		"type in capitals": "@revoked * SSH-ED25519 " + blob + "\n",
		"damaged revoked":  "@revoked * ssh-ed25519 " + blob[:40] + "\n",
	} {
		file := knownHostsFile(t, good, line)
		_, err := NewKnownHosts([]string{file}, FileOptions{})
		if fe, ok := errors.AsType[*FileError](err); !ok || fe.File != file || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("%s: got %v; want the file and the line", name, err)
		}
	}
	// Types that no server can use are none of it.
	dss := base64.StdEncoding.EncodeToString([]byte("\x00\x00\x00\x07ssh-dss..."))
	mustKnownHosts(t, good, "bastion ssh-dss "+dss+"\n", "bastion 1024 35 1234\n", "@revoked * ssh-dss "+dss+"\n", hostLine(cert, "bastion"))
	for name, lines := range map[string][]string{"empty": {""}, "comments": {"# nothing\n"}, "revocations alone": {hostLine(key, "@revoked", "*")}} {
		if _, err := NewKnownHosts([]string{knownHostsFile(t, lines...)}, FileOptions{}); err == nil {
			t.Errorf("%s: taken for a file of host keys", name)
		}
	}
	if _, err := NewKnownHosts(nil, FileOptions{}); err == nil {
		t.Error("no file at all is taken")
	}
	if _, err := NewKnownHosts([]string{filepath.Join(t.TempDir(), "none")}, FileOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestKnownHostsReload: new content counts, broken and empty content does not and
// says so.
func TestKnownHostsReload(t *testing.T) {
	first, second := sshtest.NewKey(t).PublicKey(), sshtest.NewKey(t).PublicKey()
	file := knownHostsFile(t, hostLine(first, "bastion"))
	var told []string
	now := time.Unix(0, 0)
	k, err := NewKnownHosts([]string{file}, FileOptions{
		Now: func() time.Time { return now },
		Trace: &FileTrace{
			Reloaded:     func(string) { told = append(told, "reloaded") },
			ReloadFailed: func(_ string, err error) { told = append(told, err.Error()) },
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want, not ssh.PublicKey) {
		t.Helper()
		now = now.Add(time.Hour)
		if err := k.Verify("bastion:22", nowhere, want); err != nil {
			t.Error(err)
		}
		if err := k.Verify("bastion:22", nowhere, not); err == nil {
			t.Error("the other key is taken")
		}
	}
	expect(first, second)
	for _, broken := range []string{"", "bastion ssh-ed25519 AAAA\n"} {
		sshtest.WriteFile(t, file, []byte(broken))
		expect(first, second)
	}
	sshtest.WriteFile(t, file, []byte(hostLine(second, "bastion")))
	expect(second, first)
	if len(told) != 3 || !strings.Contains(told[0], "no host key") || !strings.Contains(told[1], "damaged") || told[2] != "reloaded" {
		t.Errorf("it was told of %q", told)
	}
}

// TestKnownHostsOfRevocationsAlone: what has been revoked is not trusted on because
// nothing else is left.
func TestKnownHostsOfRevocationsAlone(t *testing.T) {
	key := sshtest.NewKey(t).PublicKey()
	file := knownHostsFile(t, hostLine(key, "bastion"))
	k, err := NewKnownHosts([]string{file}, FileOptions{Recheck: -1})
	if err != nil {
		t.Fatal(err)
	}
	sshtest.WriteFile(t, file, []byte(hostLine(key, "@revoked", "*")))
	if hk, ok := errors.AsType[*HostKeyError](k.Verify("bastion:22", nowhere, key)); !ok || hk.Reason != RevokedKey {
		t.Errorf("got %v; want it revoked", hk)
	}
}

func TestKnownHostsAlgorithms(t *testing.T) {
	k := mustKnownHosts(t,
		hostLine(sshtest.NewECDSAKey(t).PublicKey(), "one"),
		hostLine(sshtest.NewKey(t).PublicKey(), "@cert-authority", "two"),
		hostLine(rsaKey(t, 2048).PublicKey(), "three"))
	for address, want := range map[string][]string{
		"one:22":   {ssh.KeyAlgoECDSA256},
		"two:22":   append(certificates(), ssh.CertAlgoRSAv01),
		"three:22": {ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSA},
		"four:22":  nil,
	} {
		if got := k.Algorithms(address); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", address, got, want)
		}
	}
}

// TestZeroKnownHosts: what no constructor has made trusts nobody.
func TestZeroKnownHosts(t *testing.T) {
	key := sshtest.NewKey(t).PublicKey()
	for _, k := range []*KnownHosts{nil, {}} {
		if err := k.Verify("bastion:22", nowhere, key); err == nil {
			t.Error("a KnownHosts that was not made has taken a key")
		}
		if err := checkHolder(k); err == nil {
			t.Error("a KnownHosts that was not made passes for one")
		}
	}
}

// forNothing adds to each pattern with a * at its end what that is when the * stands for
// no characters. It may, and so this changes nothing but for package knownhosts, which
// wants one at least there.
func forNothing(content string) string {
	lines := strings.Split(content, "\n")
	for i, line := range lines {
		fields := strings.Fields(line)
		at := 0
		if len(fields) > 0 && strings.HasPrefix(fields[0], "@") {
			at = 1
		}
		if len(fields) <= at || !strings.Contains(fields[at], "*") {
			continue
		}
		for _, p := range strings.Split(fields[at], ",") {
			host, _, _ := strings.Cut(p, "]:")
			if short := strings.TrimRight(host, "*"); short != host && strings.Trim(short, "![") != "" {
				fields[at] += "," + short + p[len(host):]
			}
		}
		lines[i] = strings.Join(fields, " ")
	}
	return strings.Join(lines, "\n")
}

// FuzzKnownHosts: whatever a file holds, no key is taken that package knownhosts
// refuses, as long as that can read the file.
func FuzzKnownHosts(f *testing.F) {
	key, err := sshtest.MakeKey()
	if err != nil {
		f.Fatal(err)
	}
	public := key.PublicKey()
	text := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
	for _, s := range []string{"bastion KEY\n", "@revoked * KEY\nbastion KEY", "*,!bastion KEY", "|1|AAAA|AAAA KEY", "[bastion]:22 KEY c", "@cert-authority b* KEY\n# x\r\n", "*n* KEY", "@revoked [bastion*]:22 KEY\n* KEY"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, content string) {
		// That one tells upper case from lower, which DNS and OpenSSH do not.
		content = strings.ReplaceAll(strings.ToLower(content), "key", text)
		parsed, err := parseKnownHosts([]string{"f"}, [][]byte{[]byte(content)})
		if err != nil {
			return
		}
		if parsed.trust([]string{"bastion"}).verify("bastion:22", public) != nil {
			return
		}
		theirs, err := knownhosts.New(knownHostsFile(t, forNothing(content)))
		if err != nil {
			return
		}
		if err := theirs("bastion:22", nowhere, public); err != nil {
			t.Errorf("taken with %q; package knownhosts says %v", content, err)
		}
	})
}
