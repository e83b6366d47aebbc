package httpconnect

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadRequest(t *testing.T) {
	for _, tt := range []struct {
		in, target, early string
	}{
		{"CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "10.0.0.1:443", ""},
		{"CONNECT node-1:10250 HTTP/1.1\r\nHost: node-1:10250\r\n\r\nhello", "node-1:10250", "hello"},
		{"CONNECT [2001:db8::1]:443 HTTP/1.1\r\n\r\n\x16\x03\x01", "[2001:db8::1]:443", "\x16\x03\x01"},
		{"CONNECT [fe80::1%25eth0]:443 HTTP/1.1\r\n\r\n", "[fe80::1%eth0]:443", ""},
		{"CONNECT a:1 HTTP/1.0\r\n\r\n", "a:1", ""},
		{"CONNECT a:1 HTTP/1.1\nHost: a\n\nx", "a:1", "x"},
		{"CONNECT a:1 HTTP/1.1\r\nContent-Length: 0\r\n\r\nx", "a:1", "x"},
	} {
		for name, r := range map[string]io.Reader{
			"at once":      strings.NewReader(tt.in),
			"byte by byte": iotest.OneByteReader(strings.NewReader(tt.in)),
		} {
			rest := io.MultiReader(r)
			target, early, err := ReadRequest(rest)
			after, _ := io.ReadAll(rest)
			if got := string(early) + string(after); err != nil || target != tt.target || got != tt.early {
				t.Errorf("%s, %q: %q, %q, %v", name, tt.in, target, got, err)
			}
		}
	}
}

func TestReadRequestRefused(t *testing.T) {
	for _, tt := range []struct {
		in   string
		code int
	}{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", http.StatusMethodNotAllowed},
		{"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", http.StatusMethodNotAllowed},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", http.StatusHTTPVersionNotSupported},
		{"CONNECT /path HTTP/1.1\r\nHost: a:1\r\n\r\n", http.StatusBadRequest},
		{"CONNECT a:1/path HTTP/1.1\r\n\r\n", http.StatusBadRequest},
		{"CONNECT a:1?q HTTP/1.1\r\n\r\n", http.StatusBadRequest},
		{"CONNECT user@a:1 HTTP/1.1\r\n\r\n", http.StatusBadRequest},
		{"CONNECT a:1 HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", http.StatusBadRequest},
		{"CONNECT a:1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", http.StatusBadRequest},
		{"CONNECT a:1 HTTP/1.1\r\nno colon\r\n\r\n", http.StatusBadRequest},
		{"CONNECT a:1\r\n\r\n", http.StatusBadRequest},
		{"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", http.StatusBadRequest},
		{"CONNECT a:1 HTTP/1.1\r\nX: " + strings.Repeat("x", MaxHeader) + "\r\n\r\n", http.StatusRequestHeaderFieldsTooLarge},
		{strings.Repeat("x", MaxHeader+1), http.StatusRequestHeaderFieldsTooLarge},
	} {
		_, _, err := ReadRequest(strings.NewReader(tt.in))
		if se, ok := errors.AsType[*StatusError](err); !ok || se.Code != tt.code {
			t.Errorf("%.60q: %v, want status %d", tt.in, err, tt.code)
		}
	}
}

// TestReadRequestBroken: a conn that fails is not a client that speaks badly.
func TestReadRequestBroken(t *testing.T) {
	for _, want := range []error{io.EOF, os.ErrDeadlineExceeded} {
		r := io.MultiReader(strings.NewReader("CONNECT a:1 HTTP/1.1\r\nHos"), iotest.ErrReader(want))
		if _, _, err := ReadRequest(r); err != want {
			t.Errorf("got %v, want %v", err, want)
		}
	}
}

// TestReadRequestStopsAtHeader: a client that floods behind its header is read no
// further than one buffer.
func TestReadRequestStopsAtHeader(t *testing.T) {
	flood := &counter{r: io.MultiReader(strings.NewReader("CONNECT a:1 HTTP/1.1\r\n\r\n"), endless{})}
	if _, early, err := ReadRequest(flood); err != nil || len(early) > 4096 || flood.n > 4096+64 {
		t.Errorf("%d early bytes, %d read, %v", len(early), flood.n, err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

func FuzzReadRequest(f *testing.F) {
	for _, seed := range []string{
		"CONNECT node-1:10250 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nhello",
		"CONNECT [fe80::1%25eth0]:443 HTTP/1.1\r\n\r\n",
		"CONNECT user@a:1/p?q#f HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET / HTTP/1.1\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n", "\r\n\r\n", "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		target, early, err := ReadRequest(bytes.NewReader(in))
		if err != nil {
			if target != "" || early != nil {
				t.Fatalf("%q, %q beside %v", target, early, err)
			}
			return
		}
		if !bytes.HasSuffix(in, early) && len(in) <= 4096 {
			t.Fatalf("early bytes %q are not what came last", early)
		}
		if strings.ContainsAny(target, " \r\n\t/@?#") {
			t.Fatalf("target %q", target)
		}
	})
}

// FuzzRequest: what is written is read as it was meant, whatever the target.
func FuzzRequest(f *testing.F) {
	f.Add("node-1:10250")
	f.Add("[fe80::1%eth0]:443")
	f.Add("a:1 HTTP/1.1\r\nX: y")
	f.Fuzz(func(t *testing.T, target string) {
		var b bytes.Buffer
		if WriteRequest(&b, target) != nil {
			return
		}
		if got, _, err := ReadRequest(&b); err == nil && got != target {
			t.Fatalf("asked for %q, understood as %q", target, got)
		}
	})
}
