package sshtunnel

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
)

// hostMatcher is the first field of a line.
type hostMatcher interface {
	// match reports whether the line is for the host that has names.
	match(names []string) bool
}

// sshPort is the port that known_hosts files leave out.
const sshPort = "22"

// knownNames returns the names under which the server at address may be written:
// as it was configured, and with an IP address in its shortest form.
func knownNames(address string) ([]string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	names := []string{knownName(strings.ToLower(host), port)}
	if short := knownName(canonicalHost(host), port); short != names[0] {
		names = append(names, short)
	}
	return names, nil
}

func knownName(host, port string) string {
	if port == sshPort {
		return host
	}
	return "[" + host + "]:" + port
}

// parseHosts parses the first field of a line.
func parseHosts(field string) (hostMatcher, error) {
	if field[0] == '|' {
		return parseHashedHost(field)
	}
	var ps hostPatterns
	for p := range strings.SplitSeq(field, ",") {
		if p == "" {
			continue
		}
		text, negated := strings.CutPrefix(p, "!")
		if text == "" {
			return nil, errors.New("a ! without a host behind it")
		}
		ps = append(ps, hostPattern{text: canonicalPattern(text), negated: negated})
	}
	if len(ps) == 0 {
		return nil, errors.New("no host is named")
	}
	return ps, nil
}

// canonicalPattern returns a pattern as names are written.
func canonicalPattern(p string) string {
	if p[0] == '[' {
		if host, port, err := net.SplitHostPort(p); err == nil {
			return knownName(canonicalHost(host), port)
		}
	}
	return canonicalHost(p)
}

// hostPatterns are the patterns of one line.
type hostPatterns []hostPattern

type hostPattern struct {
	text    string
	negated bool
}

// match reports whether a pattern matches and none that is negated does.
func (ps hostPatterns) match(names []string) bool {
	found := false
	for _, p := range ps {
		for _, name := range names {
			if !wildcard(p.text, name) {
				continue
			}
			if p.negated {
				return false
			}
			found = true
		}
	}
	return found
}

// wildcard reports whether name matches pattern, in which * stands for any
// characters and ? for any one. It goes back to the last * only, so that no
// pattern takes long.
func wildcard(pattern, name string) bool {
	star, mark := -1, 0
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p, n = p+1, n+1
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// hashedHost is a name that only who knows it can find.
type hashedHost struct{ salt, sum []byte }

// parseHashedHost parses |1|salt|hash. The hash is HMAC-SHA1 whatever comes: the
// format knows no other. It hides names and authenticates nothing.
func parseHashedHost(field string) (hostMatcher, error) {
	parts := strings.Split(field, "|")
	if len(parts) != 4 || parts[1] != "1" {
		return nil, fmt.Errorf("a hashed host of an unknown format: want |1|salt|hash")
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	sum, err2 := base64.StdEncoding.DecodeString(parts[3])
	if errors.Join(err, err2) != nil || len(sum) != sha1.Size {
		return nil, errors.New("a hashed host that is damaged")
	}
	return hashedHost{salt: salt, sum: sum}, nil
}

func (h hashedHost) match(names []string) bool {
	for _, name := range names {
		mac := hmac.New(sha1.New, h.salt)
		mac.Write([]byte(name))
		if hmac.Equal(mac.Sum(nil), h.sum) {
			return true
		}
	}
	return false
}
