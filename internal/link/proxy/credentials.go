package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Finished returns the credentials of a client whose conn is ready when gRPC
// gets it: a *tls.Conn after its handshake, or a plain one.
func Finished(conn net.Conn) credentials.TransportCredentials {
	if _, ok := conn.(*tls.Conn); ok {
		return finished{}
	}
	return insecure.NewCredentials()
}

// finished are the credentials of a conn with TLS.
type finished struct{}

// ClientHandshake reports the handshake that conn has behind it.
func (finished) ClientHandshake(_ context.Context, _ string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	tc, ok := conn.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return nil, nil, fmt.Errorf("proxy: a %T is no TLS connection", conn)
	}
	return conn, credentials.TLSInfo{
		State:          tc.ConnectionState(),
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
	}, nil
}

// ServerHandshake is for servers, which these are not for.
func (finished) ServerHandshake(net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("proxy: credentials of a client")
}

// Info says what gRPC puts into the scheme of its requests.
func (finished) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "tls"}
}

// Clone returns the same: there is no state.
func (c finished) Clone() credentials.TransportCredentials { return c }

// OverrideServerName is not supported, since the name was verified before.
func (finished) OverrideServerName(string) error {
	return errors.New("proxy: the server's name has been verified before")
}
