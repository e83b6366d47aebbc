package httpconnect

import (
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/dialer"
)

// errorHeader is where our front ends say what failed. HTTP clients ignore what
// they do not know.
const errorHeader = "Sallyport-Error"

// Status returns the status of a refusal because of a failure of kind k.
func Status(k dialer.Kind) int {
	switch k {
	case dialer.NoRoute:
		return http.StatusServiceUnavailable
	case dialer.Denied:
		return http.StatusForbidden
	case dialer.Timeout:
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// parseError reads errorHeader: "kind; hop". told is false when it says nothing.
func parseError(value string) (kind dialer.Kind, hop string, told bool) {
	name, hop, ok := strings.Cut(value, "; ")
	if !ok {
		return 0, "", false
	}
	for k := range dialer.NoRoute + 1 {
		if k.String() == name {
			kind = k
		}
	}
	return kind, limit(printable(hop), maxText), true
}

// guess tells kind and hop from the status and the words of a server that is not
// ours. Upstream answers with the agent's own error, under 502, 503 or 504, and
// with 500 when it has no agent.
func guess(code int, text string) (dialer.Kind, string) {
	text = strings.ToLower(text)
	for _, w := range words {
		if strings.Contains(text, w.in) {
			return w.kind, w.hop
		}
	}
	switch code {
	case http.StatusForbidden, http.StatusUnauthorized, http.StatusProxyAuthRequired:
		return dialer.Denied, dialer.HopProxy
	case http.StatusGatewayTimeout:
		return dialer.Timeout, dialer.HopTarget
	}
	return dialer.Other, dialer.HopProxy
}

// words are those of Go's net package, which upstream's agent passes on, and
// upstream's own for having no agent.
var words = [...]struct {
	in   string
	kind dialer.Kind
	hop  string
}{
	{"no tunnels available", dialer.NoRoute, dialer.HopAgent},
	{"no agent available", dialer.NoRoute, dialer.HopAgent},
	{"connection refused", dialer.Refused, dialer.HopTarget},
	{"connection reset", dialer.Reset, dialer.HopTarget},
	{"no such host", dialer.NoSuchHost, dialer.HopTarget},
	{"no route to host", dialer.Unreachable, dialer.HopTarget},
	{"network is unreachable", dialer.Unreachable, dialer.HopTarget},
	{"i/o timeout", dialer.Timeout, dialer.HopTarget},
	{"deadline exceeded", dialer.Timeout, dialer.HopTarget},
}
