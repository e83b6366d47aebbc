package sshtunnel

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strconv"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/direct"
)

// check returns a copy of c with its defaults filled in, or says which field is
// missing or wrong.
func (c Config) check() (Config, error) {
	if err := checkServer(c.Address); err != nil {
		return c, fmt.Errorf("sshtunnel: Config.Address is %q: %w", c.Address, err)
	}
	if c.User == "" {
		return c, errors.New("sshtunnel: Config.User is required: who logs in")
	}
	if err := c.checkTrust(); err != nil {
		return c, err
	}
	if err := c.checkBounds(); err != nil {
		return c, err
	}
	switch {
	case c.Via == nil:
		c.Via = &direct.Dialer{Timeout: -1} // the handshake's bound is the bound
	case isNil(c.Via):
		return c, errors.New("sshtunnel: Config.Via holds a nil pointer: leave it nil to dial directly")
	}
	c.Credentials = slices.Clone(c.Credentials)
	c.HostKeyAlgorithms = slices.Clone(c.HostKeyAlgorithms)
	return c.withAlgorithms().withDefaults(), nil
}

// checkServer checks the address of a server.
func checkServer(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return errors.New("want host:port, with an IPv6 address in brackets")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("want a port from 1 to 65535")
	}
	return nil
}

func (c Config) checkTrust() error {
	if c.HostKeys == nil {
		return errors.New("sshtunnel: Config.HostKeys is required: a server is never trusted unseen")
	}
	if err := checkHolder(c.HostKeys); err != nil {
		return fmt.Errorf("sshtunnel: Config.HostKeys: %w", err)
	}
	if len(c.Credentials) == 0 {
		return errors.New("sshtunnel: Config.Credentials is empty: want at least one, which the client proves itself with")
	}
	for i, cred := range c.Credentials {
		if err := checkHolder(cred); err != nil {
			return fmt.Errorf("sshtunnel: Config.Credentials[%d]: %w", i, err)
		}
	}
	return nil
}

// checkHolder finds what is empty before the first handshake does.
func checkHolder(v any) error {
	if h, ok := v.(holder); ok {
		return h.check() // which knows about nil pointers of its own type
	}
	if isNil(v) {
		return errors.New("is nil")
	}
	return nil
}

func (c Config) checkBounds() error {
	switch {
	case c.HandshakeTimeout < 0:
		return fmt.Errorf("sshtunnel: Config.HandshakeTimeout is %v: want zero or more, a handshake is always bounded", c.HandshakeTimeout)
	case c.MaxConns < 0:
		return fmt.Errorf("sshtunnel: Config.MaxConns is %d: want zero or more, conns are always bounded", c.MaxConns)
	case c.MaxBackoff < 0:
		return fmt.Errorf("sshtunnel: Config.MaxBackoff is %v: want zero or more; a negative Backoff leaves it out", c.MaxBackoff)
	}
	return nil
}

// withAlgorithms fills in the modern algorithms, or takes a copy of the caller's.
func (c Config) withAlgorithms() Config {
	algorithms := modern()
	if c.SSH != nil {
		algorithms = ssh.Config{
			Rand: c.SSH.Rand, RekeyThreshold: c.SSH.RekeyThreshold,
			KeyExchanges: slices.Clone(c.SSH.KeyExchanges),
			Ciphers:      slices.Clone(c.SSH.Ciphers),
			MACs:         slices.Clone(c.SSH.MACs),
		}
	}
	c.strict = c.SSH == nil
	c.SSH = &algorithms
	if len(c.HostKeyAlgorithms) == 0 {
		c.HostKeyAlgorithms = modernHostKeys()
	}
	return c
}

func (c Config) withDefaults() Config {
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, DefaultHandshakeTimeout)
	c.DialTimeout = cmp.Or(c.DialTimeout, dialer.DefaultTimeout)
	c.KeepAlive = cmp.Or(c.KeepAlive, DefaultKeepAlive)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, DefaultIdleTimeout)
	c.MaxConns = cmp.Or(c.MaxConns, DefaultMaxConns)
	c.Backoff = cmp.Or(c.Backoff, DefaultBackoff)
	c.MaxBackoff = cmp.Or(c.MaxBackoff, DefaultMaxBackoff)
	return c
}

// isNil also sees the nil pointer and the nil func inside an interface, which
// would be found only by the first dial, and as a panic.
func isNil(x any) bool {
	if x == nil {
		return true
	}
	switch v := reflect.ValueOf(x); v.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Chan, reflect.Slice:
		return v.IsNil()
	}
	return false
}
