package konnectivity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxToken bounds a token in bytes, as sent and as a file.
const maxToken = 64 << 10

// A TokenSource gives an agent its bearer token.
type TokenSource interface {
	// Token returns the token to show now. It is called for each attempt to
	// connect, on the goroutine that connects; an error fails that attempt and is
	// logged, so it must not contain the token. It must return when ctx is done.
	Token(ctx context.Context) (string, error)
}

// TokenSourceFunc is a function as a [TokenSource].
type TokenSourceFunc func(ctx context.Context) (string, error)

// Token calls f.
func (f TokenSourceFunc) Token(ctx context.Context) (string, error) {
	if f == nil {
		return "", errors.New("konnectivity: there is no token source")
	}
	return f(ctx)
}

// TokenFile is a TokenSource that reads the file at path anew each time, so that
// a token that was rotated counts from the next connect on. White space around
// the token is left out. A file that is missing, unreadable, empty or larger than
// 64 KiB is an error then and not now: it may still be about to appear.
func TokenFile(path string) TokenSource { return tokenFile(path) }

type tokenFile string

// Token implements TokenSource. Its errors name the path and nothing of what is
// in the file.
func (path tokenFile) Token(context.Context) (string, error) {
	f, err := os.Open(string(path))
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	if len(b) > maxToken {
		return "", fmt.Errorf("token file %s: larger than %d bytes", string(path), maxToken)
	}
	token := strings.TrimSpace(string(b))
	if err := checkToken(token); err != nil {
		return "", fmt.Errorf("token file %s: %w", string(path), err)
	}
	return token, nil
}

// checkToken lets through what a header can carry: visible ASCII.
func checkToken(token string) error {
	if token == "" {
		return errors.New("no token in it")
	}
	if len(token) > maxToken {
		return fmt.Errorf("a token of %d bytes; at most %d are allowed", len(token), maxToken)
	}
	for i := range len(token) {
		if token[i] <= ' ' || token[i] > '~' {
			return fmt.Errorf("byte %d is none of a token: want visible ASCII characters", i)
		}
	}
	return nil
}
