package konnectivity

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sallyport/sallyport/dialer"
)

// Mode is what is spoken between a client, such as a kube-apiserver, and a front
// end. The values are those of upstream's --mode flag.
type Mode string

// The modes.
const (
	// ModeGRPC is Konnectivity's gRPC service ProxyService: a stream for each
	// connection.
	ModeGRPC Mode = "grpc"
	// ModeHTTPConnect is HTTP/1.1 CONNECT: a socket for each connection.
	ModeHTTPConnect Mode = "http-connect"
)

// check refuses what is no mode. field is that of the configuration it stands in.
func (m Mode) check(field string) error {
	switch m {
	case ModeGRPC, ModeHTTPConnect:
		return nil
	}
	return fmt.Errorf("konnectivity: %s is %q: want %q or %q", field, string(m), ModeGRPC, ModeHTTPConnect)
}

// FrontendConfig configures a [Frontend]. It is read once; the caller may reuse
// it.
type FrontendConfig struct {
	// Dialer makes the connections that clients ask for; required. Mostly it is a
	// [Server].
	Dialer dialer.Dialer
	// Mode is what clients speak; required.
	Mode Mode
	// TLS is the configuration clients are met with on every listener but those of
	// unix sockets, which are plaintext and guarded by the permissions of their
	// files. It must ask for and verify client certificates, since who gets in
	// reaches all that Dialer reaches; transport.ServerConfig builds one that also
	// reloads its files. NextProtos is filled in. Nil serves unix sockets only.
	TLS *tls.Config

	// DialTimeout bounds each dial. Zero means dialer.DefaultTimeout, negative no
	// bound but the client's patience and what Dialer bounds itself.
	DialTimeout time.Duration
	// HandshakeTimeout bounds a client's TLS handshake and, again, its first
	// words: the header of its CONNECT request, or HTTP/2's preface. Zero means
	// 10 s. It cannot be switched off.
	HandshakeTimeout time.Duration
	// KeepAlive is after how much silence a gRPC client is pinged; one that does
	// not answer within 20 s is dead. Zero means a minute, negative sends none.
	// HTTP CONNECT knows no ping; there TCP's own finds the dead.
	KeepAlive time.Duration
	// MaxConns bounds the connections at once, those being dialed included. More
	// are refused with a reason. Zero means 16384. It bounds the sockets of gRPC
	// clients too, give or take a hundred: more are closed. In gRPC mode it is all
	// that bounds what the connections hold unread together, each up to 320 KiB.
	MaxConns int

	// Log gets clients being refused and dials that fail. Nil is silent.
	Log *slog.Logger
	// Trace is told of clients and dials; nil of its hooks or nil altogether is
	// fine.
	Trace *FrontendTrace
}

func (c *FrontendConfig) check() error {
	if c.Dialer == nil {
		return errors.New("konnectivity: FrontendConfig.Dialer is required: it makes the connections that clients ask for")
	}
	if err := c.Mode.check("FrontendConfig.Mode"); err != nil {
		return err
	}
	t := c.TLS
	switch {
	case t == nil:
		return nil
	case len(t.Certificates) == 0 && t.GetCertificate == nil && t.GetConfigForClient == nil:
		return errors.New("konnectivity: FrontendConfig.TLS has no certificate: set Certificates or GetCertificate, or use transport.ServerConfig")
	case t.ClientAuth == tls.VerifyClientCertIfGiven:
		return fmt.Errorf("konnectivity: FrontendConfig.TLS.ClientAuth is %v: want RequireAndVerifyClientCert, whoever gets in reaches everything behind the front end; leave out transport.ServerOptions.ClientsOptional", t.ClientAuth)
	case t.GetConfigForClient != nil && t.ClientAuth == tls.NoClientCert:
		return nil // the hook alone knows; each handshake is checked instead
	case t.ClientAuth != tls.RequireAndVerifyClientCert:
		return fmt.Errorf("konnectivity: FrontendConfig.TLS.ClientAuth is %v: want RequireAndVerifyClientCert, whoever gets in reaches everything behind the front end", t.ClientAuth)
	case t.GetConfigForClient == nil && t.ClientCAs == nil:
		return errors.New("konnectivity: FrontendConfig.TLS.ClientCAs is nil, which would mean the system's authorities: set it to the clients' own")
	}
	return nil
}

func (c *FrontendConfig) handshakeTimeout() time.Duration {
	return positiveOr(c.HandshakeTimeout, 10*time.Second)
}
func (c *FrontendConfig) maxConns() int { return positiveOr(c.MaxConns, 16384) }
