// Package check has the checks of flags that both programs make. Each error
// names the flag, its value and what would be right.
package check

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// The ports that may be listened on: those below are reserved, those above are
// handed out for outgoing connections.
const (
	lowestPort  = 1024
	highestPort = 49151
)

// Port checks a port to listen on.
func Port(flag string, port int) error {
	switch {
	case port < lowestPort:
		return fmt.Errorf("--%s is %d, a reserved port; want %d to %d", flag, port, lowestPort, highestPort)
	case port > highestPort:
		return fmt.Errorf("--%s is %d, an ephemeral port; want %d to %d", flag, port, lowestPort, highestPort)
	}
	return nil
}

// AnyPort checks a port that may be any.
func AnyPort(flag string, port int) error {
	if port < 1 || port > 65535 {
		return fmt.Errorf("--%s is %d; want 1 to 65535", flag, port)
	}
	return nil
}

// File checks that a file is there. An empty path is nothing to check.
func File(flag, path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("--%s: %w; want a file that can be read", flag, err)
	}
	return nil
}

// Pair checks the files of a certificate and its key, of which both or none are
// given.
func Pair(certFlag, cert, keyFlag, key string) error {
	switch {
	case cert == "" && key != "":
		return fmt.Errorf("--%s is empty and --%s is %q; want both or none", certFlag, keyFlag, key)
	case cert != "" && key == "":
		return fmt.Errorf("--%s is empty and --%s is %q; want both or none", keyFlag, certFlag, cert)
	}
	return First(File(certFlag, cert), File(keyFlag, key))
}

// Positive checks a number that must be at least 1.
func Positive(flag string, n int) error {
	if n < 1 {
		return fmt.Errorf("--%s is %d; want at least 1", flag, n)
	}
	return nil
}

// NotNegative checks a duration.
func NotNegative(flag string, d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("--%s is %v; want 0 or more", flag, d)
	}
	return nil
}

// Profiling checks that contention profiling has what it needs.
func Profiling(enabled, contention bool) error {
	if contention && !enabled {
		return errors.New("--enable-contention-profiling needs --enable-profiling, too")
	}
	return nil
}

// First returns the first error, if there is one.
func First(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
