package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/sshtunnel"
	"github.com/sallyport/sallyport/transport"
)

// checkLimit bounds each check.
const checkLimit = 5 * time.Second

// check is one thing to try and how it has to come out.
type check struct {
	address  string
	want     way
	verified string // who has to answer; empty where nobody is verified
	// refusal is what it has to end with. Nil means that it has to succeed.
	refusal *refusal
	try     func(context.Context) (outcome, error)
}

// refusal is an error that has to be.
type refusal struct {
	because string // what is wrong with the destination or with us
	match   func(error) bool
}

// outcome is what a check found.
type outcome struct {
	verified string // who answered, by its certificate and the certificate's issuer
	said     string // in a few words
}

// perform runs c and returns its line of the table.
func (w *world) perform(ctx context.Context, c check) row {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	begin := time.Now()
	got, err := c.try(ctx)
	r := row{address: c.address, verified: got.verified, took: time.Since(begin)}
	r.way = w.witness.of(c.address)
	r.result, r.ok = c.judge(r.way, got, err)
	return r
}

// judge compares what happened with what had to.
func (c check) judge(went way, got outcome, err error) (result string, ok bool) {
	switch {
	case err != nil && c.refusal == nil:
		return "FAIL: " + err.Error(), false
	case err != nil && !c.refusal.match(err):
		return "FAIL: refused for another reason: " + err.Error(), false
	case err == nil && c.refusal != nil:
		return "FAIL: it should have been refused", false
	case went != c.want:
		return fmt.Sprintf("FAIL: it went by %+v, want %+v", went, c.want), false
	case got.verified != c.verified:
		return fmt.Sprintf("FAIL: verified as %q, want %q", got.verified, c.verified), false
	case err != nil:
		return fmt.Sprintf("refused: %s (as expected: %s)", reason(err), c.refusal.because), true
	}
	return "ok: " + got.said, true
}

// reason shortens err to the hop that refused and its last words.
func reason(err error) string {
	if ne, ok := errors.AsType[*transport.NodeError](err); ok {
		return dialer.HopTLS + ": wrong node, it is " + ne.CommonName
	}
	words := err.Error()
	de, ok := errors.AsType[*dialer.Error](err)
	if ok {
		words = de.Err.Error()
	}
	if i := strings.LastIndex(words, ": "); i >= 0 {
		words = words[i+len(": "):]
	}
	if ke, ok := errors.AsType[*sshtunnel.HostKeyError](err); ok && ke.Reason == sshtunnel.ChangedKey {
		words = "the server has another key" // it says which, and they are new in each run
	}
	if ok && de.Hop != "" {
		words = de.Hop + ": " + words
	}
	return words
}

// is recognises the errors that match target.
func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// isA recognises the errors with one of type E in their chain.
func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
