package dialer

import "errors"

// Retryable reports whether a dial that failed with err may be tried by another
// route: the route failed, not the destination.
//
// It is false when the target itself answered (it refused, reset, or failed its
// TLS handshake), when a policy denied the destination or could not be asked
// (another route must not be a way around it), when the target's name does not exist, and when the
// caller gave up. It is true when the proxy, the agent, the SSH server or the
// path to the target failed, and for errors of unknown kind at those hops.
func Retryable(err error) bool {
	if err == nil {
		return false
	}
	kind := KindOf(err)
	if kind == Canceled || kind == Denied {
		return false
	}
	if de, ok := errors.AsType[*Error](err); ok {
		switch {
		case de.At(HopProxy), de.At(HopAgent), de.At(HopSSH):
			return true // whatever it was, it happened before the target was asked
		case de.At(HopTLS), de.At(HopPolicy):
			return false // the target or the policy has spoken, in words of any kind
		}
	}
	switch kind {
	case Refused, Reset, NoSuchHost:
		return false
	}
	return true
}
