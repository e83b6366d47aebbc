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

	"github.com/sallyport/sallyport/dialer"
)

func noPatience() {}

func TestReadResponse(t *testing.T) {
	for _, tt := range []struct{ in, early string }{
		{"HTTP/1.1 200 Connection Established\r\n\r\n", ""},
		{"HTTP/1.1 200 Connection Established\r\n\r\nSSH-2.0\r\n", "SSH-2.0\r\n"},
		{"HTTP/1.0 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabcdef", "abcdef"},
		{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\n\r\nx", "x"},
	} {
		rest := io.MultiReader(iotest.HalfReader(strings.NewReader(tt.in)))
		early, err := ReadResponse(rest, noPatience)
		after, _ := io.ReadAll(rest)
		if got := string(early) + string(after); err != nil || got != tt.early {
			t.Errorf("%q: %q, %v; want %q", tt.in, got, err, tt.early)
		}
	}
}

func TestReadResponseFails(t *testing.T) {
	for name, in := range map[string]string{
		"no HTTP":         "SSH-2.0-OpenSSH_9.6\r\nHTTP/1.1 200 Connection Established\r\n\r\n",
		"a header flood":  "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", MaxHeader) + "\r\n\r\n",
		"a flood of 100s": strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100) + "HTTP/1.1 200 OK\r\n\r\n",
		"half a header":   "HTTP/1.1 200 OK\r\nX: ",
		"nothing":         "",
	} {
		early, err := ReadResponse(strings.NewReader(in), noPatience)
		if _, refused := errors.AsType[*Refusal](err); err == nil || refused || early != nil {
			t.Errorf("%s: %q, %v", name, early, err)
		}
		if err == io.EOF {
			t.Errorf("%s: a bare EOF", name)
		}
	}
	r := io.MultiReader(strings.NewReader("HTTP/1.1 2"), iotest.ErrReader(os.ErrDeadlineExceeded))
	if _, err := ReadResponse(r, noPatience); err != os.ErrDeadlineExceeded {
		t.Errorf("got %v, want the reader's error", err)
	}
}

// TestRefusal: kind and hop cross, and the text on one line.
func TestRefusal(t *testing.T) {
	for k := range dialer.NoRoute + 1 {
		want := Refusal{Code: Status(k), Kind: k, Hop: "target via agent edge-1", Text: "dial tcp node-1:10250: no luck"}
		var b bytes.Buffer
		if err := WriteRefusal(&b, want); err != nil {
			t.Fatal(err)
		}
		_, err := ReadResponse(&b, noPatience)
		got, ok := errors.AsType[*Refusal](err)
		if !ok || *got != want {
			t.Errorf("%v arrived as %+v, %v", k, got, err)
		}
	}
}

func TestRefusalIsBoundedAndPrintable(t *testing.T) {
	evil := "a\r\nX-Evil: 1\r\n\r\n\x1b[31m" + strings.Repeat("ü", 4000)
	var b bytes.Buffer
	WriteRefusal(&b, Refusal{Code: 502, Kind: dialer.Refused, Hop: evil, Text: evil})
	if b.Len() > 4<<10 || strings.Contains(b.String(), "\nX-Evil") {
		t.Fatalf("%d bytes: %.200q", b.Len(), b.String())
	}
	resp, err := http.ReadResponse(newReader(b.String()), nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || int64(len(body)) != resp.ContentLength || len(body) > maxText || !resp.Close {
		t.Errorf("body of %d bytes, %v; length said %d, close %v", len(body), err, resp.ContentLength, resp.Close)
	}
}

func TestStatus(t *testing.T) {
	for k, want := range map[dialer.Kind]int{
		dialer.Other: 502, dialer.Refused: 502, dialer.Reset: 502, dialer.NoSuchHost: 502, dialer.Unreachable: 502,
		dialer.Canceled: 502, dialer.Timeout: 504, dialer.Denied: 403, dialer.NoRoute: 503,
	} {
		if got := Status(k); got != want {
			t.Errorf("%v is %d, want %d", k, got, want)
		}
	}
}

// TestForeignRefusal: what upstream says, and what any proxy may.
func TestForeignRefusal(t *testing.T) {
	for _, tt := range []struct {
		in   string
		kind dialer.Kind
		hop  string
	}{
		{"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 49\r\n\r\ndial tcp 127.0.0.1:1: connect: connection refused", dialer.Refused, dialer.HopTarget},
		{"HTTP/1.1 502 Bad Gateway\r\n\r\ndial tcp: lookup x on 10.0.0.10:53: no such host", dialer.NoSuchHost, dialer.HopTarget},
		{"HTTP/1.1 504 Gateway Timeout\r\n\r\ndial tcp 10.0.0.1:1: i/o timeout", dialer.Timeout, dialer.HopTarget},
		{"HTTP/1.1 504 Gateway Timeout\r\n\r\n", dialer.Timeout, dialer.HopTarget},
		{"HTTP/1.1 500 Internal Server Error\r\n\r\ncurrently no tunnels available: No agent available", dialer.NoRoute, dialer.HopAgent},
		{"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", dialer.Denied, dialer.HopProxy},
		{"HTTP/1.1 204 No Content\r\n\r\n", dialer.Other, dialer.HopProxy},
		{"HTTP/1.1 101 Switching Protocols\r\n\r\n", dialer.Other, dialer.HopProxy},
		{"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", dialer.Other, dialer.HopProxy},
	} {
		patient := false
		_, err := ReadResponse(strings.NewReader(tt.in), func() { patient = true })
		r, ok := errors.AsType[*Refusal](err)
		if !ok || r.Kind != tt.kind || r.Hop != tt.hop || r.Error() == "" || !patient {
			t.Errorf("%q: %+v, %v", tt.in, r, err)
		}
	}
}

// TestRefusalWithoutEnd: a server that does not end its words is heard as far as
// it spoke, and no further than the bound.
func TestRefusalWithoutEnd(t *testing.T) {
	head := "HTTP/1.1 503 Service Unavailable\r\n\r\n"
	stuck := io.MultiReader(strings.NewReader(head+"no luck"), iotest.ErrReader(os.ErrDeadlineExceeded))
	_, err := ReadResponse(stuck, noPatience)
	if r, ok := errors.AsType[*Refusal](err); !ok || r.Text != "no luck" {
		t.Errorf("got %v", err)
	}
	flood := &counter{r: io.MultiReader(strings.NewReader(head), endless{})}
	if _, err := ReadResponse(flood, noPatience); err == nil || flood.n > 8<<10 {
		t.Errorf("%d bytes read, %v", flood.n, err)
	}
}

func FuzzReadResponse(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 Connection Established\r\n\r\nSSH-2.0",
		"HTTP/1.1 502 Bad Gateway\r\nSallyport-Error: refused; target via agent a\r\nContent-Length: 3\r\n\r\nno\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
		"HTTP/1.1 500 x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		early, err := ReadResponse(bytes.NewReader(in), noPatience)
		if err == nil && !bytes.Contains(in, []byte("200")) {
			t.Fatal("a yes without 200")
		}
		if err != nil && early != nil {
			t.Fatalf("%q beside %v", early, err)
		}
		if r, ok := errors.AsType[*Refusal](err); ok && (len(r.Text) > 3*maxText || strings.ContainsAny(r.Text+r.Hop, "\r\n\x1b")) {
			t.Fatalf("text %q", r.Text)
		}
	})
}
