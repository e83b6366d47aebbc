package dialer_test

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/sallyport/sallyport/dialer"
)

func TestRemoteErrorIs(t *testing.T) {
	for _, tt := range []struct {
		kind dialer.Kind
		is   []error
	}{
		{dialer.Canceled, []error{context.Canceled}},
		{dialer.Refused, []error{dialer.ErrRefused, syscall.ECONNREFUSED}},
		{dialer.Reset, []error{dialer.ErrReset, syscall.ECONNRESET}},
		{dialer.Timeout, []error{dialer.ErrTimeout, os.ErrDeadlineExceeded, context.DeadlineExceeded}},
		{dialer.NoSuchHost, []error{dialer.ErrNoSuchHost}},
		{dialer.Unreachable, []error{dialer.ErrUnreachable, syscall.EHOSTUNREACH}},
		{dialer.Denied, []error{dialer.ErrDenied, os.ErrPermission}},
		{dialer.NoRoute, []error{dialer.ErrNoRoute}},
	} {
		err := &dialer.RemoteError{Kind: tt.kind}
		for _, want := range tt.is {
			if !errors.Is(err, want) {
				t.Errorf("a remote %v is not %v", tt.kind, want)
			}
		}
		if tt.kind != dialer.Refused && errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a remote %v passes for refused", tt.kind)
		}
		if err.Timeout() != (tt.kind == dialer.Timeout) || err.Temporary() != err.Timeout() {
			t.Errorf("a remote %v: Timeout %v, Temporary %v", tt.kind, err.Timeout(), err.Temporary())
		}
	}
	if (&dialer.RemoteError{Kind: dialer.Other}).Is(nil) {
		t.Error("a remote failure of unknown kind is nil")
	}
}

func TestRemoteErrorText(t *testing.T) {
	if got := (&dialer.RemoteError{Kind: dialer.Refused, Text: "port 1 is closed"}).Error(); got != "port 1 is closed" {
		t.Errorf("got %q", got)
	}
	if got := (&dialer.RemoteError{Kind: dialer.NoRoute}).Error(); got != "no route" {
		t.Errorf("without a text got %q", got)
	}
}

func TestRemoteErrorAs(t *testing.T) {
	err := &dialer.Error{Err: &dialer.RemoteError{Kind: dialer.NoSuchHost, Text: "no x.example"}}
	dns, ok := errors.AsType[*net.DNSError](err)
	if !ok || !dns.IsNotFound || dns.Err != "no x.example" {
		t.Errorf("a remote NoSuchHost as *net.DNSError is %v, %v", dns, ok)
	}
	err = &dialer.Error{Err: &dialer.RemoteError{Kind: dialer.Refused}}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		t.Error("a remote Refused passes for a *net.DNSError")
	}
}
