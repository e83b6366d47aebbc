package transport

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/internal/testpki"
)

func TestParseBundle(t *testing.T) {
	a, b := testpki.MustCA(t, "a").PEM(), testpki.MustCA(t, "b").PEM()
	key := testpki.MustCA(t, "c").MustIssue(t, testpki.Leaf{}).Key
	damaged := bytes.Replace(a, []byte("MII"), []byte("M!!"), 1)
	malformed := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("not a certificate")})
	cat := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

	for _, tc := range []struct {
		name string
		in   []byte
		n    int
		err  string // part of the error, empty for none
	}{
		{"one", a, 1, ""},
		{"two", cat(a, b), 2, ""},
		{"no newline at the end", bytes.TrimRight(a, "\n"), 1, ""},
		{"comments and blank lines", cat([]byte("# first\n\n"), a, []byte("\r\n  # second\n"), b, []byte("# end")), 2, ""},
		{"carriage returns", bytes.ReplaceAll(cat(a, b), []byte("\n"), []byte("\r\n")), 2, ""},
		{"empty", nil, 0, "no certificate"},
		{"comments only", []byte("# nothing\n"), 0, "no certificate"},
		{"text before", cat([]byte("hello\n"), a), 0, "line 1: text between"},
		{"text between", cat(a, []byte("hello\n"), b), 0, "text between"},
		{"text after", cat(a, []byte("hello\n")), 0, "text between"},
		{"damaged first", cat(damaged, b), 0, "line 1: damaged"},
		{"damaged last", cat(a, damaged), 0, "damaged"},
		{"half-written", a[:len(a)/2], 0, "damaged"},
		{"half-written before a whole one", cat(a[:len(a)/2], []byte("\n"), b), 0, "damaged"},
		{"malformed certificate", cat(a, malformed), 0, "malformed certificate"},
		{"private key", cat(a, key), 0, "private key"},
		{"other block", cat(a, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte("x")})), 0, "no plain certificate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			certs, err := parseBundle(tc.in)
			if tc.err == "" && (err != nil || len(certs) != tc.n) {
				t.Fatalf("got %d certificates and %v, want %d", len(certs), err, tc.n)
			}
			if tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Fatalf("got error %v, want one with %q", err, tc.err)
			}
		})
	}
}

func FuzzParseBundle(f *testing.F) {
	ca := testpki.MustCA(f, "a")
	f.Add(ca.PEM())
	f.Add(append(ca.PEM(), testpki.MustCA(f, "b").PEM()...))
	f.Add(append([]byte("# comment\n"), ca.PEM()[:100]...))
	f.Add(ca.MustIssue(f, testpki.Leaf{}).Key)
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, err := parseBundle(data)
		if err != nil {
			for line := range bytes.Lines(data) {
				if line = bytes.TrimSpace(line); len(line) >= 24 && strings.Contains(err.Error(), string(line)) {
					t.Fatalf("the error quotes the file: %v", err)
				}
			}
			return
		}
		// What is accepted means the same to the standard library's parser,
		// and survives being written again.
		lenient := x509.NewCertPool()
		if !lenient.AppendCertsFromPEM(data) || !lenient.Equal(newPool(certs)) {
			t.Fatal("the strict parser and crypto/x509 disagree on an accepted bundle")
		}
		var again []byte
		for _, c := range certs {
			again = append(again, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
		}
		twice, err := parseBundle(again)
		if err != nil || !newPool(twice).Equal(newPool(certs)) {
			t.Fatalf("parsing what was parsed gives %d certificates and %v, want %d", len(twice), err, len(certs))
		}
	})
}
