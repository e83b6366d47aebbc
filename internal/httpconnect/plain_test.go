package httpconnect

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

// requests are such as clients send, plain or not.
var requests = []string{
	"CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
	"CONNECT node-1.example:10250 HTTP/1.1\r\nHost: node-1.example:10250\r\n\r\nearly",
	"CONNECT a:1 HTTP/1.1\r\n\r\n",
	"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
	"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
	"CONNECT [::1]:1 HTTP/1.1\r\n\r\n",
	"CONNECT a:1 b:2 HTTP/1.1\r\n\r\n",
	"CONNECT a: HTTP/1.1\r\n\r\n",
	"CONNECT :1 HTTP/1.1\r\n\r\n",
	"CONNECT a%41:1 HTTP/1.1\r\n\r\n",
	"CONNECT a:1 HTTP/1.0\r\n\r\n",
	"CONNECT a:1 HTTP/1.1\r\nHost: a\n\r\n",
	"CONNECT  a:1 HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
}

// TestPlainRequests: the two that clients of ours and kube-apiserver send are
// plain. Nothing else may come to depend on it.
func TestPlainRequests(t *testing.T) {
	var b bytes.Buffer
	if err := WriteRequest(&b, "node-1:10250"); err != nil {
		t.Fatal(err)
	}
	for _, in := range []string{requests[0], b.String()} {
		if _, end, ok := plainRequest([]byte(in)); !ok || end != len(in) {
			t.Errorf("%q: %d, %v", in, end, ok)
		}
	}
}

// FuzzPlainRequest: what is taken for plain, net/http takes for the same.
func FuzzPlainRequest(f *testing.F) {
	for _, in := range requests {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		target, end, ok := plainRequest(in)
		if !ok {
			return
		}
		br := bufio.NewReader(bytes.NewReader(in))
		req, err := http.ReadRequest(br)
		if err != nil {
			t.Fatalf("%q is plain, and net/http says %v", in, err)
		}
		if err := check(req); err != nil || req.URL.Host != target {
			t.Errorf("%q: %q, want %q, %v", in, target, req.URL.Host, err)
		}
		if rest, err := io.ReadAll(br); err != nil || string(rest) != string(in[end:]) {
			t.Errorf("%q: left %q, want %q, %v", in, in[end:], rest, err)
		}
	})
}

// BenchmarkReadRequest reads the request of a kube-apiserver, and one that is
// unusual.
func BenchmarkReadRequest(b *testing.B) {
	for name, in := range map[string]string{
		"plain": requests[0],
		"other": strings.Replace(requests[0], "\r\n\r\n", "\r\nUser-Agent: curl/8\r\n\r\n", 1),
	} {
		b.Run(name, func(b *testing.B) {
			r := strings.NewReader(in)
			b.ReportAllocs()
			for b.Loop() {
				r.Reset(in)
				if _, _, err := ReadRequest(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
