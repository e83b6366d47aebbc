package transport

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// handshake runs the client's handshake on raw, which stays the caller's to
// close when it fails. HandshakeContext closes raw when ctx ends first, which
// wakes a handshake whatever it waits for, and forgets ctx when it is done.
func (d *Dialer) handshake(ctx context.Context, raw net.Conn, config *tls.Config) (*tls.Conn, error) {
	if d.cfg.HandshakeTimeout > 0 {
		var cancel context.CancelFunc
		timeout := d.cfg.HandshakeTimeout
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, handshakeTimeout(timeout))
		defer cancel()
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, blame(ctx, err)
	}
	return c, nil
}

// handshakeError is a failed handshake in an error whose hop says "tls" already:
// crypto/tls begins its texts with the same word.
type handshakeError struct{ err error }

func (e *handshakeError) Error() string {
	text := e.err.Error()
	for _, of := range []string{"", "remote error: ", "local error: "} {
		if rest, ok := strings.CutPrefix(text, of+"tls: "); ok {
			return of + rest
		}
	}
	return text
}

// Unwrap returns the error of the handshake.
func (e *handshakeError) Unwrap() error { return e.err }

// handshakeTimeout is the cause of a handshake that took too long.
type handshakeTimeout time.Duration

func (t handshakeTimeout) Error() string {
	return fmt.Sprintf("no TLS handshake within %v", time.Duration(t))
}

// blame returns why a step under ctx failed: err, or when ctx has ended, that
// and what its owner gave as the cause. Both are kept for errors.Is, for a cause
// of the owner's need not say that it was a cancellation.
func blame(ctx context.Context, err error) error {
	end := ctx.Err()
	if end == nil {
		return err
	}
	if cause := context.Cause(ctx); cause != end {
		return fmt.Errorf("%w: %w", end, cause)
	}
	return end
}
