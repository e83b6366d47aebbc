package dialer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

func TestKindOf(t *testing.T) {
	opError := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	tests := []struct {
		err  error
		want dialer.Kind
	}{
		{nil, dialer.Other},
		{io.EOF, dialer.Other},
		{errors.New("timeout"), dialer.Other}, // a text proves nothing
		{opError(syscall.ECONNREFUSED), dialer.Refused},
		{opError(syscall.ECONNRESET), dialer.Reset},
		{opError(syscall.EPIPE), dialer.Reset},
		{opError(syscall.EHOSTUNREACH), dialer.Unreachable},
		{opError(syscall.ENETUNREACH), dialer.Unreachable},
		{opError(syscall.EACCES), dialer.Denied},
		{opError(syscall.EPERM), dialer.Denied},
		{opError(syscall.ETIMEDOUT), dialer.Timeout},
		{os.ErrDeadlineExceeded, dialer.Timeout},
		{context.DeadlineExceeded, dialer.Timeout},
		{context.Canceled, dialer.Canceled},
		{&net.OpError{Op: "dial", Err: context.Canceled}, dialer.Canceled},
		{&net.DNSError{IsNotFound: true}, dialer.NoSuchHost},
		{&net.DNSError{IsTimeout: true}, dialer.Timeout},
		{&net.DNSError{IsTemporary: true}, dialer.Other},
		{dialer.ErrRefused, dialer.Refused},
		{dialer.ErrReset, dialer.Reset},
		{dialer.ErrTimeout, dialer.Timeout},
		{dialer.ErrNoSuchHost, dialer.NoSuchHost},
		{dialer.ErrUnreachable, dialer.Unreachable},
		{dialer.ErrDenied, dialer.Denied},
		{dialer.ErrNoRoute, dialer.NoRoute},
		{&dialer.RemoteError{Kind: dialer.Denied, Text: "connection refused"}, dialer.Denied},
		{&dialer.RemoteError{Kind: 200, Text: "from the future"}, dialer.Other},
		{fmt.Errorf("one: %w", fmt.Errorf("two: %w", opError(syscall.ECONNREFUSED))), dialer.Refused},
		{errors.Join(io.EOF, dialer.ErrNoRoute), dialer.NoRoute},
		{&dialer.Error{Err: io.EOF}, dialer.Other},
		{&dialer.Error{Err: &dialer.Error{Err: opError(syscall.ECONNREFUSED)}}, dialer.Refused},
		{fmt.Errorf("words: %w", &dialer.Error{Err: &dialer.RemoteError{Kind: dialer.Timeout}}), dialer.Timeout},
	}
	for _, tt := range tests {
		if got := dialer.KindOf(tt.err); got != tt.want {
			t.Errorf("KindOf(%v) = %v, want %v", tt.err, got, tt.want)
		}
	}
}

// TestKindValues pins what two releases at the ends of a tunnel rely on.
func TestKindValues(t *testing.T) {
	for want, k := range []dialer.Kind{
		dialer.Other, dialer.Canceled, dialer.Refused, dialer.Reset, dialer.Timeout,
		dialer.NoSuchHost, dialer.Unreachable, dialer.Denied, dialer.NoRoute,
	} {
		if int(k) != want {
			t.Errorf("%v is %d on the wire, want %d", k, k, want)
		}
		if k != dialer.Other && dialer.KindOf(k.Err()) != k {
			t.Errorf("the sentinel of %v is of kind %v", k, dialer.KindOf(k.Err()))
		}
	}
	if k := dialer.Kind(200); k.String() != "other" || k.Err() != nil {
		t.Errorf("an unknown kind is %q, %v", k, k.Err())
	}
}

func TestRetryable(t *testing.T) {
	at := func(hop string, err error) error { return &dialer.Error{Hop: hop, Err: err} }
	tests := []struct {
		err  error
		want bool
	}{
		{nil, false},
		{at(dialer.HopProxy, io.EOF), true},
		{at(dialer.HopProxy, dialer.ErrRefused), true},
		{at("agent edge-1", dialer.ErrReset), true},
		{at(dialer.HopSSH, dialer.ErrNoSuchHost), true},
		{at(dialer.HopTarget, dialer.ErrTimeout), true},
		{at(dialer.HopTarget, dialer.ErrUnreachable), true},
		{at(dialer.HopSelect, dialer.ErrNoRoute), true},
		{at(dialer.HopTarget, dialer.ErrRefused), false},
		{at(dialer.HopTarget, dialer.ErrReset), false},
		{at(dialer.HopResolve, dialer.ErrNoSuchHost), false},
		{at(dialer.HopTLS, io.EOF), false},
		{at(dialer.HopTLS, dialer.ErrTimeout), false},
		{at(dialer.HopPolicy, dialer.ErrDenied), false},
		{at(dialer.HopPolicy, io.EOF), false},
		{at(dialer.HopAgent, dialer.ErrDenied), false},
		{at(dialer.HopProxy, context.Canceled), false},
		{fmt.Errorf("words: %w", at(dialer.HopProxy, io.EOF)), true},
		{dialer.ErrRefused, false},
		{io.EOF, true},
	}
	for _, tt := range tests {
		if got := dialer.Retryable(tt.err); got != tt.want {
			t.Errorf("Retryable(%v) = %v", tt.err, got)
		}
	}
}
