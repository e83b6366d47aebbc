package httpconnect

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"unicode"

	"github.com/sallyport/sallyport/dialer"
)

// maxText bounds the reason of a refusal, in bytes.
const maxText = 1 << 10

// Refusal is an answer other than yes.
type Refusal struct {
	Code int
	// Kind and Hop tell what failed and where: from the server, or where it did
	// not say, from the status and the text. Hop may be empty.
	Kind dialer.Kind
	Hop  string
	// Text is the reason, for people, on one line.
	Text string
}

// Error returns the reason, or the status where there is none.
func (r *Refusal) Error() string {
	return cmp.Or(r.Text, fmt.Sprintf("%d %s", r.Code, http.StatusText(r.Code)))
}

// WriteEstablished says that the tunnel stands.
func WriteEstablished(w io.Writer) error {
	_, err := io.WriteString(w, "HTTP/1.1 200 Connection Established\r\n\r\n")
	return err
}

// WriteRefusal says that there will be no tunnel, in one Write.
func WriteRefusal(w io.Writer, r Refusal) error {
	text := limit(printable(r.Text), maxText-1) + "\n"
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.Code, http.StatusText(r.Code))
	if r.Code == http.StatusMethodNotAllowed {
		b.WriteString("Allow: CONNECT\r\n")
	}
	if r.Kind != dialer.Other || r.Hop != "" {
		fmt.Fprintf(&b, "%s: %s; %s\r\n", errorHeader, r.Kind, limit(printable(r.Hop), maxText))
	}
	b.WriteString("Content-Type: text/plain; charset=utf-8\r\nContent-Length: " + strconv.Itoa(len(text)) + "\r\nConnection: close\r\n\r\n" + text)
	_, err := w.Write(b.Bytes())
	return err
}

// maxInformational is how many answers may come before the final one.
const maxInformational = 5

// ReadResponse reads the answer to a CONNECT request. A nil error is a yes, and
// early is what came behind the header already. No is a *Refusal, whose text was
// read as far as r gave it: patience is called before that begins, for the
// caller to bound it in time. Every other error is r's, or says that no HTTP was
// spoken.
func ReadResponse(r io.Reader, patience func()) (early []byte, err error) {
	in := &headerReader{r: r, left: MaxHeader}
	br := bufio.NewReader(in)
	for range maxInformational {
		resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
		switch {
		case in.err == errTooLarge:
			return nil, errors.New("the answer's header is too large")
		case err != nil && in.err == io.EOF:
			return nil, io.ErrUnexpectedEOF
		case err != nil && in.err != nil:
			return nil, in.err
		case err != nil:
			return nil, fmt.Errorf("no HTTP answer; does the server speak gRPC? %s", limit(printable(err.Error()), 200))
		case resp.StatusCode == http.StatusOK:
			return buffered(br), nil
		case resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols:
			patience()
			return nil, refusal(resp)
		}
	}
	return nil, errors.New("too many answers before the final one")
}

// refusal makes the most of an answer that is not 200.
func refusal(resp *http.Response) *Refusal {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxText)) // what there is will do
	r := &Refusal{Code: resp.StatusCode, Text: strings.TrimSpace(printable(string(body)))}
	var told bool
	if r.Kind, r.Hop, told = parseError(resp.Header.Get(errorHeader)); !told {
		r.Kind, r.Hop = guess(r.Code, r.Text)
	}
	return r
}

// printable puts s on one line of what can be seen.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, s)
}

// limit cuts s to at most n bytes, between runes.
func limit(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "")
}
