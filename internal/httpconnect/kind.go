package httpconnect

import (
	"net/http"
	"strings"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/upstream"
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
	if kind, hop := upstream.Failure(text); kind != dialer.Other {
		return kind, hop
	}
	switch code {
	case http.StatusForbidden, http.StatusUnauthorized, http.StatusProxyAuthRequired:
		return dialer.Denied, dialer.HopProxy
	case http.StatusGatewayTimeout:
		return dialer.Timeout, dialer.HopTarget
	}
	return dialer.Other, dialer.HopProxy
}
