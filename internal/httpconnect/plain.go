package httpconnect

import "bytes"

// plainRequest reads the request of a client that asks for a host and port and
// says nothing besides but a Host, as kube-apiserver's and our own do. end is where
// its header ends. ok is false for all else, be it right or wrong, which is net/http's
// to judge; what is ok, net/http would take for the same.
func plainRequest(b []byte) (target string, end int, ok bool) {
	rest, ok := bytes.CutPrefix(b, []byte("CONNECT "))
	if !ok {
		return "", 0, false
	}
	asked, rest, ok := bytes.Cut(rest, []byte(" HTTP/1.1\r\n"))
	if !ok || !isPlainTarget(asked) {
		return "", 0, false
	}
	if host, ok := bytes.CutPrefix(rest, []byte("Host: ")); ok {
		value, after, ok := bytes.Cut(host, []byte("\r\n"))
		if !ok || !isPlainTarget(value) && !isPlainHost(value) {
			return "", 0, false
		}
		rest = after
	}
	if rest, ok = bytes.CutPrefix(rest, []byte("\r\n")); !ok {
		return "", 0, false
	}
	return string(asked), len(b) - len(rest), true
}

// isPlainTarget reports whether b is a name or an IPv4 address, and a port.
func isPlainTarget(b []byte) bool {
	host, port, ok := bytes.Cut(b, []byte(":"))
	if !ok || !isPlainHost(host) || len(port) == 0 {
		return false
	}
	for _, c := range port {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// isPlainHost reports whether b consists of what names consist of.
func isPlainHost(b []byte) bool {
	for _, c := range b {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '.' && c != '-' {
			return false
		}
	}
	return len(b) > 0
}
