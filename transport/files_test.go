package transport_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testpki"
	"github.com/sallyport/sallyport/transport"
)

func TestCAFileFollows(t *testing.T) {
	a, b := testpki.MustCA(t, "a"), testpki.MustCA(t, "b")

	t.Run("rename", func(t *testing.T) {
		file, clk, j := filepath.Join(t.TempDir(), "ca.crt"), newClock(), new(journal)
		write(t, file, a.PEM())
		ca, err := transport.NewCAFile(file, j.options(clk))
		if err != nil {
			t.Fatal(err)
		}
		first := ca.Pool()
		if !first.Equal(a.Pool()) {
			t.Fatal("the pool is not the file's")
		}
		clk.Tick()
		if ca.Pool() != first {
			t.Error("an unchanged file gave another pool")
		}
		write(t, file, b.PEM())
		clk.Tick()
		if !ca.Pool().Equal(b.Pool()) {
			t.Error("the renamed file was not taken")
		}
		wantCounts(t, j, 1, 0)
	})

	t.Run("symlink swap", func(t *testing.T) {
		v, clk := &volume{dir: t.TempDir()}, newClock()
		v.put(t, map[string][]byte{"ca.crt": a.PEM()})
		ca, err := transport.NewCAFile(filepath.Join(v.dir, "ca.crt"), transport.FileOptions{Now: clk.Now})
		if err != nil {
			t.Fatal(err)
		}
		v.put(t, map[string][]byte{"ca.crt": b.PEM()})
		clk.Tick()
		if !ca.Pool().Equal(b.Pool()) {
			t.Error("the swapped file was not taken")
		}
	})
}

func TestCAFileKeepsLastGood(t *testing.T) {
	a, b := testpki.MustCA(t, "a"), testpki.MustCA(t, "b")
	key := b.MustIssue(t, testpki.Leaf{}).Key
	file, clk, j := filepath.Join(t.TempDir(), "ca.crt"), newClock(), new(journal)
	write(t, file, a.PEM())
	ca, err := transport.NewCAFile(file, j.options(clk))
	if err != nil {
		t.Fatal(err)
	}

	failures := 0
	for _, broken := range [][]byte{
		nil,           // empty
		b.PEM()[:200], // half-written
		append(bytes.Clone(b.PEM()), "garbage"...), // damaged
		key,
		bytes.Repeat([]byte("#"), 5<<20), // too large
	} {
		write(t, file, broken)
		failures++
		for range 3 {
			clk.Tick()
			if !ca.Pool().Equal(a.Pool()) {
				t.Fatalf("broken content %d replaced the last good", failures)
			}
		}
		wantCounts(t, j, 0, failures)
	}

	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		clk.Tick()
		ca.Pool()
	}
	wantCounts(t, j, 0, failures+1)
	if last := j.errs[len(j.errs)-1]; !errors.Is(last, fs.ErrNotExist) || j.failed[len(j.failed)-1] != file {
		t.Errorf("reported %q and %v, want %q and fs.ErrNotExist", j.failed[len(j.failed)-1], last, file)
	}

	write(t, file, a.PEM()) // as it was: good again, nothing new
	clk.Tick()
	ca.Pool()
	wantCounts(t, j, 1, failures+1)
	write(t, file, b.PEM())
	clk.Tick()
	if !ca.Pool().Equal(b.Pool()) {
		t.Error("good content after broken was not taken")
	}
	wantCounts(t, j, 2, failures+1)
	clk.Tick()
	ca.Pool() // nothing new, nothing said
	wantCounts(t, j, 2, failures+1)
	for range 2 { // the same failure, twice with success between, is two
		write(t, file, key)
		clk.Tick()
		ca.Pool()
		write(t, file, b.PEM())
		clk.Tick()
		ca.Pool()
	}
	wantCounts(t, j, 4, failures+3)
	noSecret(t, j.text(), key)
}

// noSecret fails if text has any line of a PEM key.
func noSecret(t *testing.T, text string, keys ...[]byte) {
	t.Helper()
	if text == "" {
		t.Error("nothing was logged, so nothing was proved")
	}
	for _, key := range keys {
		for line := range strings.Lines(string(key)) {
			// From any third of a line on would be as bad.
			line = strings.TrimSpace(line)
			if len(line) > 12 && !strings.HasPrefix(line, "-----") && strings.Contains(text, line[:12]) {
				t.Errorf("the log holds key material: %s", text)
			}
		}
	}
}

func TestNewCAFileErrors(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing.crt")
	if _, err := transport.NewCAFile(missing, transport.FileOptions{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing file: %v", err)
	}
	empty := filepath.Join(dir, "empty.crt")
	write(t, empty, nil)
	_, err := transport.NewCAFile(empty, transport.FileOptions{})
	if fe, ok := errors.AsType[*transport.FileError](err); !ok || fe.File != empty {
		t.Errorf("empty file: %v", err)
	}
}

// pairFiles writes two key pairs' files and follows the first.
func pairFiles(t *testing.T) (p *transport.KeyPair, cert, key string, first, second testpki.PEM, clk *clock, j *journal) {
	t.Helper()
	ca := testpki.MustCA(t, "ca")
	first, second = ca.MustIssue(t, testpki.Leaf{CommonName: "first"}), ca.MustIssue(t, testpki.Leaf{CommonName: "second"})
	cert, key, err := first.Write(t.TempDir(), "tls")
	if err != nil {
		t.Fatal(err)
	}
	clk, j = newClock(), new(journal)
	if p, err = transport.NewKeyPair(cert, key, j.options(clk)); err != nil {
		t.Fatal(err)
	}
	return p, cert, key, first, second, clk, j
}

func wantName(t *testing.T, p *transport.KeyPair, name string) {
	t.Helper()
	viaServer, err := p.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil || viaServer.Leaf.Subject.CommonName != name {
		t.Errorf("GetCertificate: %v, %v, want %q", viaServer.Leaf.Subject, err, name)
	}
	viaClient, err := p.GetClientCertificate(&tls.CertificateRequestInfo{})
	if err != nil || viaClient != viaServer {
		t.Errorf("GetClientCertificate differs: %v", err)
	}
}

func TestKeyPairTakesBothOrNone(t *testing.T) {
	for _, keyFirst := range []bool{false, true} {
		p, cert, key, first, second, clk, j := pairFiles(t)
		wantName(t, p, "first")

		if keyFirst {
			write(t, key, second.Key)
		} else {
			write(t, cert, second.Cert)
		}
		for range 3 {
			clk.Tick()
			wantName(t, p, "first")
		}
		wantCounts(t, j, 0, 1)

		if keyFirst {
			write(t, cert, second.Cert)
		} else {
			write(t, key, second.Key)
		}
		wantName(t, p, "first") // the interval is not over
		clk.Tick()
		wantName(t, p, "second")
		wantCounts(t, j, 1, 1)
		noSecret(t, j.text(), first.Key, second.Key)
	}
}

func TestKeyPairKeepsLastGood(t *testing.T) {
	p, cert, key, first, second, clk, j := pairFiles(t)
	for i, broken := range []struct {
		cert, key  []byte
		file, text string
	}{
		{nil, first.Key, cert, "no certificate"},
		{first.Key, first.Key, cert, "no certificate"},
		{first.Cert, nil, key, "no private key"},
		{first.Cert, first.Key[:len(first.Key)/2], key, "no private key"},
		{first.Cert, first.Cert, key, "no private key"},
		{[]byte("-----BEGIN CERTIFICATE-----\nMTIz\n-----END CERTIFICATE-----\n"), first.Key, cert, "malformed certificate"},
		{first.Cert, []byte("-----BEGIN PRIVATE KEY-----\nMTIz\n-----END PRIVATE KEY-----\n"), key, "malformed private key"},
		{first.Cert, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMTIz\n-----END ENCRYPTED PRIVATE KEY-----\n"), key, "encrypted"},
		{first.Cert, []byte("-----BEGIN hunter2hunter2-----\nMTIz\n-----END hunter2hunter2-----\n"), key, "no private key"},
		{first.Cert, second.Key, cert, "does not belong"},
	} {
		write(t, cert, broken.cert)
		write(t, key, broken.key)
		clk.Tick()
		wantName(t, p, "first")
		err := j.errs[len(j.errs)-1]
		if j.failed[len(j.failed)-1] != broken.file || !strings.Contains(err.Error(), broken.text) {
			t.Errorf("case %d: reported %s: %v, want %s and %q", i, j.failed[len(j.failed)-1], err, broken.file, broken.text)
		}
	}
	noSecret(t, j.text(), first.Key, second.Key, []byte("hunter2hunter2"))

	// Both in one file is as good as in two.
	both := filepath.Join(t.TempDir(), "both.pem")
	write(t, both, append(bytes.Clone(second.Cert), second.Key...))
	one, err := transport.NewKeyPair(both, both, transport.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	wantName(t, one, "second")
}

func TestKeyPairSymlinkSwap(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	v, clk, j := &volume{dir: t.TempDir()}, newClock(), new(journal)
	put := func(name string) {
		p := ca.MustIssue(t, testpki.Leaf{CommonName: name})
		v.put(t, map[string][]byte{"tls.crt": p.Cert, "tls.key": p.Key})
	}
	put("first")
	p, err := transport.NewKeyPair(filepath.Join(v.dir, "tls.crt"), filepath.Join(v.dir, "tls.key"), j.options(clk))
	if err != nil {
		t.Fatal(err)
	}
	put("second")
	clk.Tick()
	wantName(t, p, "second")
	wantCounts(t, j, 1, 0)
}

func TestNewKeyPairErrors(t *testing.T) {
	ca := testpki.MustCA(t, "ca")
	cert, key, err := ca.MustIssue(t, testpki.Leaf{}).Write(t.TempDir(), "tls")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transport.NewKeyPair(cert, key+".missing", transport.FileOptions{}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), key+".missing") {
		t.Errorf("missing key: %v", err)
	}
	if _, err := transport.NewKeyPair(key, cert, transport.FileOptions{}); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("exchanged files: %v", err)
	}
}
