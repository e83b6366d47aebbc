package sshtunnel

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
)

// The defaults of a [Config].
const (
	DefaultHandshakeTimeout = 15 * time.Second
	DefaultKeepAlive        = 5 * time.Second
	DefaultIdleTimeout      = 5 * time.Minute
	DefaultMaxConns         = 1024
	DefaultBackoff          = 500 * time.Millisecond
	DefaultMaxBackoff       = 30 * time.Second
)

// Config describes one SSH server and how to dial through it. It is read once by
// [New]; the caller may reuse it, but not change the slices and what they hold.
type Config struct {
	// Address is the host:port of the server. Required. It is also the name
	// under which HostKeys knows the server. An IPv6 address is in brackets.
	Address string
	// User is who logs in. Required.
	User string

	// HostKeys says which keys the server may prove itself with. Required: there
	// is no unverified mode.
	HostKeys HostKeys
	// Credentials are what the client proves itself with, in the order in which
	// they are offered. At least one is required. They are asked at each
	// handshake, once the server has proved itself.
	Credentials []Credentials

	// Via makes the connection to the server; it dials "tcp" and Address. Nil
	// means direct.Dialer. Another *Dialer makes a chain of bastions.
	Via dialer.Dialer

	// SSH replaces the algorithms of key exchange, encryption and integrity, and
	// with it the demand that the key exchange be strict. Nil means the modern
	// ones. Empty lists in it mean what they mean to package ssh.
	SSH *ssh.Config
	// HostKeyAlgorithms replaces the signature algorithms that a server may use,
	// most wanted first. Nil means those without SHA-1. Only those for which
	// HostKeys knows a key are asked for.
	HostKeyAlgorithms []string

	// HandshakeTimeout bounds connecting to the server, from Via's dial through
	// authentication. It goes on that long also when all dials that waited for it
	// have given up, for those that come after; in a Pool, only as long as no other
	// dial needs its turn. Zero means DefaultHandshakeTimeout; negative is an error,
	// for it cannot be switched off.
	HandshakeTimeout time.Duration
	// DialTimeout bounds each dial from first to last, with the handshake where
	// one is needed. Zero means dialer.DefaultTimeout, negative no bound but the
	// caller's context.
	DialTimeout time.Duration
	// KeepAlive is after how much silence of the server it is asked for a sign of
	// life, again each time the same time has passed. After three times KeepAlive
	// of silence the client is dead, and with it its conns. Zero means
	// DefaultKeepAlive, which finds a dead server in 15 s; negative asks for none.
	KeepAlive time.Duration
	// IdleTimeout is how long a client without conns is kept. Zero means
	// DefaultIdleTimeout, negative means until it ends by itself.
	IdleTimeout time.Duration
	// MaxConns bounds the channels of a client at once: open, being opened, and
	// given up without the server having confirmed it. Dials beyond fail with
	// ErrBusy, or get another client where most have been given up: see [Dialer].
	// Zero means DefaultMaxConns; negative is an error.
	MaxConns int

	// Backoff is how long the server is left alone after a failed handshake. It
	// doubles with each further failure up to MaxBackoff, half of it is random,
	// and it starts afresh after a success. Dials in that time fail at once with
	// a *BackoffError. Zero means DefaultBackoff; negative means that each dial
	// tries. MaxBackoff of zero means DefaultMaxBackoff; negative is an error.
	Backoff, MaxBackoff time.Duration
	// Admit is called before each handshake and may wait, to bound how many there
	// are at once. ctx ends when no dial waits for the handshake any more; once
	// Admit has returned, that does not end the handshake. done is called when the
	// handshake has ended; on an error it is not, and the dials that wait fail.
	// HandshakeTimeout starts when Admit has returned. Nil admits all.
	Admit func(ctx context.Context) (done func(), err error)

	// Log gets clients coming and going, and handshakes that failed. Nil is silent.
	Log *slog.Logger
	// Trace is told of dials and handshakes. Nil of its hooks, or nil
	// altogether, is fine.
	Trace *Trace

	strict bool                                         // the key exchange must be; see withAlgorithms
	node   string                                       // in a Pool, the node's name
	turn   func(ctx context.Context) (admission, error) // a Pool's, in place of Admit
}
