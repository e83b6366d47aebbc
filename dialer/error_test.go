package dialer_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sallyport/sallyport/dialer"
)

func TestErrorText(t *testing.T) {
	tests := []struct {
		err  dialer.Error
		want string
	}{
		{dialer.Error{}, "dial"},
		{dialer.Error{Err: io.EOF}, "dial: EOF"},
		{dialer.Error{Hop: dialer.HopTarget, Network: "tcp", Address: "a:1", Err: dialer.ErrRefused}, "dial tcp a:1: target: connection refused"},
		{
			dialer.Error{Class: "kubelet", Route: "tunnel", Hop: "agent edge-1", Network: "tcp", Address: "node-1:10250", Err: dialer.ErrRefused},
			"dial kubelet tcp node-1:10250 by tunnel: agent edge-1: connection refused",
		},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestErrorIs(t *testing.T) {
	cause := errors.New("cause")
	tests := []struct {
		cause  error
		target error
		want   bool
	}{
		{syscall.ECONNREFUSED, dialer.ErrRefused, true},
		{syscall.ECONNREFUSED, syscall.ECONNREFUSED, true},
		{syscall.ECONNREFUSED, dialer.ErrReset, false},
		{syscall.ECONNREFUSED, dialer.ErrTimeout, false},
		{context.DeadlineExceeded, dialer.ErrTimeout, true},
		{context.DeadlineExceeded, context.DeadlineExceeded, true},
		{context.Canceled, context.Canceled, true},
		{context.Canceled, dialer.ErrTimeout, false},
		{&dialer.Error{Err: dialer.ErrDenied}, dialer.ErrDenied, true},
		{&dialer.RemoteError{Kind: dialer.NoSuchHost}, dialer.ErrNoSuchHost, true},
		{&dialer.RemoteError{Kind: dialer.Refused}, syscall.ECONNREFUSED, true},
		{cause, cause, true},
		{cause, dialer.ErrRefused, false},
		{cause, nil, false},
	}
	for _, tt := range tests {
		err := &dialer.Error{Hop: dialer.HopTarget, Err: tt.cause}
		if got := errors.Is(err, tt.target); got != tt.want {
			t.Errorf("errors.Is(%v, %v) = %v", err, tt.target, got)
		}
	}
}

func TestErrorIsNetError(t *testing.T) {
	for _, tt := range []struct {
		cause error
		want  bool
	}{
		{dialer.ErrTimeout, true},
		{context.DeadlineExceeded, true},
		{&dialer.RemoteError{Kind: dialer.Timeout}, true},
		{context.Canceled, false},
		{syscall.ECONNREFUSED, false},
	} {
		ne := &dialer.Error{Err: tt.cause} // a net.Error, whose second method is still asked for
		if ne.Timeout() != tt.want || ne.Temporary() != tt.want {
			t.Errorf("%v: Timeout %v, Temporary %v; want both %v", ne, ne.Timeout(), ne.Temporary(), tt.want)
		}
	}
}

func TestErrorAt(t *testing.T) {
	for _, tt := range []struct {
		hop, ask string
		want     bool
	}{
		{"agent", dialer.HopAgent, true},
		{"agent edge-1", dialer.HopAgent, true},
		{"agents", dialer.HopAgent, false},
		{"", dialer.HopAgent, false},
		{"ssh agent", dialer.HopAgent, false},
	} {
		if got := (&dialer.Error{Hop: tt.hop}).At(tt.ask); got != tt.want {
			t.Errorf("hop %q At %q is %v", tt.hop, tt.ask, got)
		}
	}
}

func TestWrap(t *testing.T) {
	if err := dialer.Wrap(nil, dialer.HopTarget, "tcp", "a:1"); err != nil {
		t.Errorf("wrapped nil is %v", err)
	}
	want := &dialer.Error{Hop: dialer.HopTarget, Network: "tcp", Address: "a:1", Err: io.EOF}
	if got := dialer.Wrap(io.EOF, dialer.HopTarget, "tcp", "a:1"); !same(got, want) {
		t.Errorf("got %#v, want %#v", got, want)
	}
	inner := &dialer.Error{Hop: dialer.HopSSH, Err: io.EOF}
	for _, err := range []error{inner, fmt.Errorf("words: %w", inner)} {
		if got := dialer.Wrap(err, dialer.HopTarget, "tcp", "a:1"); got != err {
			t.Errorf("got %v; the hop nearest to the cause is %v", got, err)
		}
	}
}

func TestAnnotate(t *testing.T) {
	if err := dialer.Annotate(nil, "etcd", "direct", "tcp", "a:1"); err != nil {
		t.Errorf("annotated nil is %v", err)
	}
	full := &dialer.Error{Class: "c", Route: "r", Hop: "h", Network: "n", Address: "a", Err: io.EOF}
	bare := &dialer.Error{Hop: "h", Err: io.EOF}
	worded := fmt.Errorf("words: %w", full)
	tests := []struct {
		name string
		err  error
		want *dialer.Error
	}{
		{"foreign", io.EOF, &dialer.Error{Class: "etcd", Route: "direct", Network: "tcp", Address: "a:1", Err: io.EOF}},
		{"bare", bare, &dialer.Error{Class: "etcd", Route: "direct", Hop: "h", Network: "tcp", Address: "a:1", Err: io.EOF}},
		{"full", full, full},
		{"worded", worded, &dialer.Error{Class: "c", Route: "r", Hop: "h", Network: "n", Address: "a", Err: worded}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := dialer.Annotate(tt.err, "etcd", "direct", "tcp", "a:1"); !same(got, tt.want) {
				t.Errorf("got %#v, want %#v", got, tt.want)
			}
		})
	}
	if *bare != (dialer.Error{Hop: "h", Err: io.EOF}) {
		t.Errorf("the annotated error itself was changed: %#v", bare)
	}
}

// same compares an *Error field by field, and its cause by identity.
func same(got error, want *dialer.Error) bool {
	de, ok := got.(*dialer.Error)
	return ok && cmp.Equal(de, want, cmpopts.IgnoreFields(dialer.Error{}, "Err")) && de.Err == want.Err
}

func TestCauseOf(t *testing.T) {
	why := errors.New("shutting down")
	live := t.Context()
	canceled, cancel := context.WithCancel(live)
	cancel()
	caused, cancelCause := context.WithCancelCause(live)
	cancelCause(why)
	expired, stop := context.WithTimeoutCause(live, -1, why)
	defer stop()
	tests := []struct {
		name string
		ctx  context.Context
		is   []error
		kind dialer.Kind
	}{
		{"alive", live, []error{io.EOF}, dialer.Other},
		{"canceled", canceled, []error{context.Canceled}, dialer.Canceled},
		{"canceled for a reason", caused, []error{context.Canceled, why}, dialer.Canceled},
		{"expired for a reason", expired, []error{context.DeadlineExceeded, why}, dialer.Timeout},
	}
	for _, tt := range tests {
		err := dialer.CauseOf(tt.ctx, io.EOF)
		for _, want := range tt.is {
			if !errors.Is(err, want) {
				t.Errorf("%s: %v is not %v", tt.name, err, want)
			}
		}
		if got := dialer.KindOf(err); got != tt.kind {
			t.Errorf("%s: kind %v, want %v", tt.name, got, tt.kind)
		}
		if tt.ctx.Err() != nil && errors.Is(err, io.EOF) {
			t.Errorf("%s: blames %v on a dial that its context ended", tt.name, err)
		}
	}
}
