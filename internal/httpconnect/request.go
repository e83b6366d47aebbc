package httpconnect

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// MaxHeader bounds what is read of a request's or a response's header, in bytes.
const MaxHeader = 64 << 10

// StatusError is a request that cannot be served, and how to answer it.
type StatusError struct {
	Code int
	Text string
}

// Error returns the text.
func (e *StatusError) Error() string { return e.Text }

// firstRead holds what the first read of a request brings: all of it, mostly.
type firstRead [1 << 10]byte

// firsts is a cache and no state.
var firsts = sync.Pool{New: func() any { return new(firstRead) }}

// ReadRequest reads a CONNECT request from r, to the end of its header and no
// further than one buffer beyond. It returns the target as it was asked for,
// which nobody has checked yet, and the bytes that came behind the header.
//
// A request that is none of ours is a *StatusError. Every other error is r's.
func ReadRequest(r io.Reader) (target string, early []byte, err error) {
	in := &headerReader{r: r, left: MaxHeader}
	first := firsts.Get().(*firstRead)
	defer firsts.Put(first)
	n, err := in.Read(first[:])
	if target, end, ok := plainRequest(first[:n]); ok {
		return target, append([]byte(nil), first[end:n]...), nil
	}
	if n == 0 && err != nil {
		return "", nil, err
	}
	br := bufio.NewReader(io.MultiReader(bytes.NewReader(first[:n]), in))
	req, err := http.ReadRequest(br)
	switch {
	case in.err == errTooLarge:
		return "", nil, &StatusError{http.StatusRequestHeaderFieldsTooLarge, "the request's header is too large"}
	case err != nil && in.err != nil:
		return "", nil, in.err
	case err != nil:
		return "", nil, &StatusError{http.StatusBadRequest, "malformed request: " + printable(err.Error())}
	}
	if err := check(req); err != nil {
		return "", nil, err
	}
	return req.URL.Host, buffered(br), nil
}

// check refuses what is not a CONNECT to a host and port.
func check(req *http.Request) error {
	switch {
	case req.ProtoMajor != 1:
		return &StatusError{http.StatusHTTPVersionNotSupported, "want HTTP/1.1; a client that speaks gRPC needs a front end in mode grpc"}
	case req.Method != http.MethodConnect:
		return &StatusError{http.StatusMethodNotAllowed, "want the method CONNECT"}
	case unescape(req.RequestURI) != req.URL.Host:
		// There is a path, a user or a query, and no saying what it is for.
		return &StatusError{http.StatusBadRequest, "want CONNECT host:port"}
	case req.ContentLength != 0 || len(req.TransferEncoding) > 0:
		// The tunnel's bytes begin right behind the header. Who says that a body
		// does has another idea of where they begin.
		return &StatusError{http.StatusBadRequest, "a CONNECT request has no body"}
	}
	return nil
}

// WriteRequest asks for a tunnel to target, host:port. What could not stand in a
// request is refused.
func WriteRequest(w io.Writer, target string) error {
	if strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return fmt.Errorf("target %q: want host:port", target)
	}
	target = escape(target)
	_, err := io.WriteString(w, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n")
	return err
}

// The zone of an IPv6 address is the one place where a target has a percent sign,
// which a URI has to spell out.
func escape(target string) string { return strings.ReplaceAll(target, "%", "%25") }
func unescape(uri string) string  { return strings.ReplaceAll(uri, "%25", "%") }

var errTooLarge = errors.New("header too large")

// headerReader bounds what is read and remembers how reading failed, so that it
// can be told from what was read being malformed.
type headerReader struct {
	r    io.Reader
	left int
	err  error
}

func (h *headerReader) Read(p []byte) (int, error) {
	if h.left <= 0 {
		h.err = errTooLarge
		return 0, h.err
	}
	n, err := h.r.Read(p[:min(len(p), h.left)])
	h.left -= n
	if err != nil {
		h.err = err
	}
	return n, err
}

// buffered returns a copy of what br holds, so that br can be forgotten.
func buffered(br *bufio.Reader) []byte {
	b, _ := br.Peek(br.Buffered()) // cannot fail: it is there
	return append([]byte(nil), b...)
}
