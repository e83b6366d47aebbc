package dialer

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
)

// Sentinels for errors.Is. An [*Error] matches one of them by the kind of its
// cause, wherever on the road it happened.
var (
	ErrRefused     = errors.New("connection refused")
	ErrReset       = errors.New("connection reset")
	ErrTimeout     = errors.New("timeout")
	ErrNoSuchHost  = errors.New("no such host")
	ErrUnreachable = errors.New("unreachable")
	ErrDenied      = errors.New("denied")
	ErrNoRoute     = errors.New("no route")
)

// Kind sorts failures into what a caller acts upon. It crosses tunnels: an
// agent's refused connection is Refused at the control plane.
type Kind uint8

// The kinds. Their values are part of the tunnel protocol and never change.
const (
	Other       Kind = 0
	Canceled    Kind = 1 // the caller's context was cancelled
	Refused     Kind = 2 // the target said no: ECONNREFUSED
	Reset       Kind = 3 // the target hung up hard: ECONNRESET
	Timeout     Kind = 4 // nobody answered in time
	NoSuchHost  Kind = 5 // the name does not resolve
	Unreachable Kind = 6 // no path to the address: EHOSTUNREACH, ENETUNREACH
	Denied      Kind = 7 // a policy or an identity rule forbids it
	NoRoute     Kind = 8 // no class, no route or no agent for the destination
)

var kinds = [...]struct {
	name string
	err  error
}{
	Other:       {"other", nil},
	Canceled:    {"canceled", context.Canceled},
	Refused:     {"refused", ErrRefused},
	Reset:       {"reset", ErrReset},
	Timeout:     {"timeout", ErrTimeout},
	NoSuchHost:  {"no such host", ErrNoSuchHost},
	Unreachable: {"unreachable", ErrUnreachable},
	Denied:      {"denied", ErrDenied},
	NoRoute:     {"no route", ErrNoRoute},
}

// String returns the kind's name, usable as a metric label.
func (k Kind) String() string {
	return kinds[k.known()].name
}

// Err returns the sentinel of k, or nil for Other and unknown kinds.
func (k Kind) Err() error {
	return kinds[k.known()].err
}

// known returns k, or Other for a value that only a newer far end knows.
func (k Kind) known() Kind {
	if int(k) < len(kinds) {
		return k
	}
	return Other
}

// KindOf sorts err. It looks through wrapped errors and knows the errors of
// net, os, syscall and context besides this package's own. A nil err is Other.
func KindOf(err error) Kind {
	if err == nil {
		return Other
	}
	if de, ok := errors.AsType[*Error](err); ok {
		return KindOf(de.Err)
	}
	// A remote error has said what it is; its text must not be second-guessed.
	if re, ok := errors.AsType[*RemoteError](err); ok {
		return re.Kind.known()
	}
	for k := len(kinds) - 1; k > int(Other); k-- {
		if errors.Is(err, kinds[k].err) {
			return Kind(k)
		}
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Reset
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return Unreachable
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return Denied
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT):
		return Timeout
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return NoSuchHost
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return Timeout
	}
	return Other
}
