package konnectivity

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// placeholder stands for what '*' matched in a common name or a user.
const placeholder = "{name}"

// expand puts name where the placeholder is. The result is compared, never read
// as a pattern, so a name such as "*" has no power.
func expand(text, name string) string { return strings.ReplaceAll(text, placeholder, name) }

// checkPlaceholders refuses a placeholder without a '*' to fill it, and braces
// that are none, which would otherwise silently match nothing.
func checkPlaceholders(text string, named bool) error {
	if strings.Contains(text, placeholder) && !named {
		return errors.New(`{name} has no value; end CommonName or User in '*', such as "system:node:*"`)
	}
	if strings.ContainsAny(expand(text, ""), "{}") {
		return errors.New("unknown placeholder; the only one is {name}")
	}
	return nil
}

// textPattern is a text, or with prefix all that begins with it.
type textPattern struct {
	text   string
	prefix bool
}

func parseTextPattern(s string) (textPattern, error) {
	text, prefix := strings.CutSuffix(s, "*")
	if strings.Contains(text, "*") {
		return textPattern{}, errors.New("'*' may only be its last character")
	}
	return textPattern{text: text, prefix: prefix}, nil
}

func (p textPattern) empty() bool { return p == textPattern{} }

// cut reports whether s matches, and what stands in place of '*'. That part is
// never empty: system:node: names no node.
func (p textPattern) cut(s string) (rest string, ok bool) {
	if !p.prefix {
		return "", s == p.text
	}
	rest, ok = strings.CutPrefix(s, p.text)
	return rest, ok && rest != ""
}

// match reports whether s matches once name is filled in.
func (p textPattern) match(name, s string) bool {
	_, ok := textPattern{text: expand(p.text, name), prefix: p.prefix}.cut(s)
	return ok
}

// parseHolderName reads the pattern of a common name or of a user.
func parseHolderName(s string) (textPattern, error) {
	if strings.Contains(s, placeholder) {
		return textPattern{}, errors.New("{name} is what '*' matches here; it has its place in AgentIDs and Hosts")
	}
	return parseTextPattern(s)
}

func parseAgentIDPattern(s string, named bool) (textPattern, error) {
	p, err := parseTextPattern(s)
	if err != nil {
		return p, err
	}
	if err := checkPlaceholders(p.text, named); err != nil {
		return p, err
	}
	if p.prefix && p.text == "" {
		return p, nil // any id
	}
	return p, checkAgentID(expand(p.text, "x"))
}

// hostPattern is a host name, with below every name under it, or any name.
type hostPattern struct {
	text       string
	below, any bool
}

func parseHostPattern(s string, named bool) (hostPattern, error) {
	if s == "*" {
		return hostPattern{any: true}, nil
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return hostPattern{}, errors.New("an address; put it into CIDRs")
	}
	text, below := strings.CutPrefix(s, "*.")
	if err := checkPlaceholders(text, named); err != nil {
		return hostPattern{}, err
	}
	if _, err := canonicalName(expand(text, "x")); err != nil {
		return hostPattern{}, fmt.Errorf("%w; patterns are such as edge-1.example and *.example", err)
	}
	return hostPattern{text: text, below: below}, nil
}

// match reports whether host, a canonical name, matches once name is filled in.
// A name that makes no host name matches nothing.
func (p hostPattern) match(name, host string) bool {
	if p.any {
		return true
	}
	n, err := canonicalName(expand(p.text, name))
	return err == nil && namePattern{name: n, below: p.below}.match(host)
}

// matchAddr reports whether the pattern, once name is filled in, is a itself.
func (p hostPattern) matchAddr(name string, a netip.Addr) bool {
	if p.any || p.below {
		return false
	}
	lit, err := netip.ParseAddr(expand(p.text, name))
	return err == nil && lit.Unmap() == a
}
