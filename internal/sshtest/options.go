package sshtest

import (
	"context"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// Options describes a Server. The zero value accepts any user with any key and
// forwards wherever it is asked to.
type Options struct {
	// HostKeys are what the server shows; none means a fresh ed25519 key. A
	// signer made by ssh.NewCertSigner shows a certificate.
	HostKeys []ssh.Signer

	// User is who may log in; empty means anybody.
	User string

	// Keys are the user keys accepted. UserCAs sign certificates that are. With
	// neither, every key is good.
	Keys, UserCAs []ssh.PublicKey

	// SSH holds the server's algorithms; the zero value is x/crypto's default.
	SSH ssh.Config

	// Address is where Start listens; empty means 127.0.0.1:0.
	Address string

	// Dial connects to targets; nil means net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// DialTimeout bounds a connect to a target; 0 means 1 s, so that what a
	// client gave up does not outlive the test.
	DialTimeout time.Duration

	// Knobs is how the server misbehaves from the start.
	Knobs Knobs
}

// Knobs are ways to misbehave. They can be turned at any time with Server.Set;
// a turn counts from the next handshake, request or open.
type Knobs struct {
	// Silent accepts connections and says nothing.
	Silent bool

	// Trickle sends another line before the version of the server at every
	// interval, which the protocol allows, and never comes to the point.
	Trickle time.Duration

	// StallAuth never answers the client's authentication.
	StallAuth bool

	// HangUpAt closes the conn in place of the answer to this method of
	// authentication, "none" or "publickey"; Die does it the way a dying process
	// does.
	HangUpAt string
	Die      bool

	// RefuseProof calls keys good and then refuses the proof of having one, and
	// disconnects a client for it at once, with words.
	RefuseProof bool

	// IgnoreOpens leaves requests for channels unanswered until they are
	// released with Server.Release or the conn ends.
	IgnoreOpens bool

	// Reject refuses every channel.
	Reject *ssh.OpenChannelError

	// MaxChannels refuses the channels beyond so many at once with
	// "resource shortage"; 0 means no limit.
	MaxChannels int

	// IgnoreRequests leaves global requests, keepalives among them, unanswered.
	IgnoreRequests bool

	// ExtraReplies sends so many replies more than asked for to each global
	// request that wants one.
	ExtraReplies int

	// GlobalRequests sends so many requests to the client after its login, and
	// Channels opens so many channels towards it.
	GlobalRequests, Channels int

	// Stderr writes so many bytes of extended data to each new channel, before
	// any byte of the target.
	Stderr int
}
