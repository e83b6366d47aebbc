package sshtunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/dialer"
)

// shaken is the outcome of a handshake.
type shaken struct {
	line     *line
	conn     ssh.Conn
	channels <-chan ssh.NewChannel
	requests <-chan *ssh.Request
	hostKey  string
}

// handshake connects and authenticates within Config.HandshakeTimeout. Its error
// says which hop broke.
func (d *Dialer) handshake(ctx context.Context) (*shaken, *dialer.Error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.HandshakeTimeout)
	defer cancel()
	begin := time.Now()
	s, err := d.shake(ctx)
	d.cfg.Trace.handshakeDone(d.cfg.server(), begin, err)
	return s, err
}

func (d *Dialer) shake(ctx context.Context) (*shaken, *dialer.Error) {
	raw, err := d.cfg.Via.DialContext(ctx, "tcp", d.cfg.Address)
	if err != nil {
		return nil, d.unreached(ctx, err)
	}
	l := newLine(raw, d.cfg.strict)
	stop := context.AfterFunc(ctx, func() { l.Close() })
	p := &proof{cfg: &d.cfg, ctx: ctx, log: d.log}
	conn, channels, requests, err := ssh.NewClientConn(l, d.cfg.Address, p.config())
	s := &shaken{line: l, conn: conn, channels: channels, requests: requests, hostKey: p.shown()}
	if !stop() && err == nil {
		s.discard()
		err = ctx.Err()
	}
	if err != nil {
		l.Close()
		return nil, d.failed(p.explain(ctx, err))
	}
	return s, nil
}

// discard ends a connection that no client was made of, and waits for the end. What
// the server has asked for meanwhile is drained, or package ssh would wait for
// somebody to take it.
func (s *shaken) discard() {
	var draining sync.WaitGroup
	draining.Go(func() {
		for range s.requests {
		}
	})
	draining.Go(func() {
		for range s.channels {
		}
	})
	s.line.Close()
	s.conn.Wait()
	draining.Wait()
}

// unreached is the error of Via. To who dials through the server, the server is
// not the target, and a way to it that is forbidden is a way that failed; but a
// bastion before it that broke is named.
func (d *Dialer) unreached(ctx context.Context, err error) *dialer.Error {
	hop := d.hop()
	if de, ok := errors.AsType[*dialer.Error](err); ok {
		if de.At(dialer.HopSSH) || de.At(dialer.HopProxy) || de.At(dialer.HopAgent) {
			hop = de.Hop
		}
		err = de.Err
	}
	return &dialer.Error{Hop: hop, Err: dialer.CauseOf(ctx, onTheWay(err))}
}

// failed is an error of this hop.
func (d *Dialer) failed(err error) *dialer.Error { return &dialer.Error{Hop: d.hop(), Err: err} }

func (d *Dialer) hop() string { return dialer.HopSSH + " " + d.cfg.Address }

// proof is how both sides of one client prove who they are. Package ssh calls it
// from its own goroutines.
type proof struct {
	cfg *Config
	ctx context.Context // the handshake's
	log logger

	key     atomic.Pointer[ssh.PublicKey] // the server's, once it has been verified
	asked   atomic.Bool                   // the server has let the client prove itself
	offered atomic.Pointer[string]        // the keys that the client has offered
}

func (p *proof) config() *ssh.ClientConfig {
	return &ssh.ClientConfig{
		Config:            *p.cfg.SSH,
		User:              p.cfg.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeysCallback(p.signers)},
		HostKeyCallback:   p.verify,
		HostKeyAlgorithms: askFor(p.cfg.HostKeyAlgorithms, p.cfg.HostKeys.Algorithms(p.cfg.Address)),
	}
}

// verify is called when the server has proved to have key, at the handshake and
// at each later exchange of keys.
func (p *proof) verify(_ string, remote net.Addr, key ssh.PublicKey) error {
	if first := p.key.Load(); first != nil {
		// A client that lives is not cut because files have changed, but the
		// server cannot become another.
		if describe(*first) != describe(key) {
			return &HostKeyError{Address: p.cfg.Address, Reason: ChangedKey, Shown: key, Expected: []KnownKey{known1(*first, false)}}
		}
		return nil
	}
	if err := p.cfg.HostKeys.Verify(p.cfg.Address, remote, key); err != nil {
		return err
	}
	p.key.Store(&key)
	return nil
}

// signers is called once the server has been verified.
func (p *proof) signers() ([]ssh.Signer, error) {
	p.asked.Store(true)
	signers, err := collect(p.ctx, p.cfg.Credentials, func(err error) {
		p.log.Warn("credentials left out", "server", p.cfg.Address, "err", err)
	})
	prints := make([]string, len(signers))
	for i, s := range signers {
		prints[i] = describe(s.PublicKey())
	}
	names := strings.Join(prints, ", ")
	p.offered.Store(&names)
	if err != nil {
		return nil, &credentialsError{err}
	}
	return signers, nil
}

// shown names the key that the server has proved to have.
func (p *proof) shown() string {
	if key := p.key.Load(); key != nil {
		return describe(*key)
	}
	return ""
}

// credentialsError is why no key could be offered. It has no kind: what is
// denied or missing here is not the destination.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }

// explain returns the error of a handshake in the words of this package.
func (p *proof) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return dialer.CauseOf(ctx, err)
	}
	if hk, ok := errors.AsType[*HostKeyError](err); ok {
		return onTheWay(hk)
	}
	if ce, ok := errors.AsType[*credentialsError](err); ok {
		return ce
	}
	if errors.Is(err, errNotStrict) {
		return errNotStrict
	}
	if words, is := refusedClient(err); is && p.key.Load() != nil {
		return p.refused(words)
	}
	if lost := hungUp(err); lost != nil {
		return lost
	}
	return onTheWay(&handshakeError{err, p.wanted(err)})
}

// refused is the error of a client that the server does not let in. words are the
// server's, if it has any.
func (p *proof) refused(words string) error {
	if words != "" {
		words = fmt.Sprintf(": %q", words)
	}
	if !p.asked.Load() {
		return fmt.Errorf("%w: it takes no public keys of user %q%s", ErrAuthentication, p.cfg.User, words)
	}
	offered := ""
	if o := p.offered.Load(); o != nil {
		offered = *o
	}
	return fmt.Errorf("%w: user %q offered %s%s", ErrAuthentication, p.cfg.User, offered, words)
}

// wanted tells which keys are known of a server that has none of their types to
// show, as after a change of its key for one of another type.
func (p *proof) wanted(err error) string {
	k, ok := p.cfg.HostKeys.(knower)
	if n, is := errors.AsType[*ssh.AlgorithmNegotiationError](err); !ok || !is || n.What != "host key" {
		return ""
	}
	if keys := k.known(p.cfg.Address); len(keys) > 0 {
		return "; expected " + list(keys)
	}
	return ""
}

// handshakeError is any other error of package ssh or of a caller's HostKeys,
// cut to a length that fits a log: it may list what the server offers.
type handshakeError struct {
	err    error
	wanted string // see there
}

func (e *handshakeError) Error() string {
	const most = 1024
	text := strings.TrimPrefix(e.err.Error(), "ssh: ")
	if len(text) > most {
		text = text[:most] + "..."
	}
	return text + e.wanted
}

// Unwrap returns the error as package ssh has it.
func (e *handshakeError) Unwrap() error { return e.err }
