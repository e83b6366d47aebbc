package konnectivity

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/httpconnect"
	"github.com/sallyport/sallyport/internal/streamconn"
)

// refusalPatience is how long the words of a refusal are waited for: a server
// need not say how many there are.
const refusalPatience = time.Second

// dialConnect opens a connection to address by HTTP CONNECT.
func (c *Client) dialConnect(ctx context.Context, address string) (net.Conn, error) {
	raw, err := c.reach.dial(ctx)
	if err != nil {
		return nil, err
	}
	raw = honest(raw)
	early, err := negotiate(ctx, raw, address)
	if err != nil {
		raw.Close()
		return nil, c.refused(err)
	}
	var conn net.Conn
	conn = httpconnect.NewConn(raw, early, streamconn.Addr("tcp", address), func() { c.remove(conn) })
	if err := c.add(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// negotiate asks for the tunnel and reads the answer. ctx ends the wait and
// nothing later.
func negotiate(ctx context.Context, raw net.Conn, address string) (early []byte, err error) {
	stop := context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	if err = httpconnect.WriteRequest(raw, address); err == nil {
		early, err = httpconnect.ReadResponse(raw, func() { raw.SetReadDeadline(time.Now().Add(refusalPatience)) })
	}
	if !stop() {
		return nil, dialer.CauseOf(ctx, err)
	}
	if err == nil {
		err = raw.SetDeadline(time.Time{})
	}
	return early, err
}

// refused names the hop of what went wrong behind the front end's door.
func (c *Client) refused(err error) error {
	if no, ok := errors.AsType[*httpconnect.Refusal](err); ok {
		return c.failedThere(no.Hop, &dialer.RemoteError{Kind: no.Kind, Text: no.Error()})
	}
	return &dialer.Error{Hop: dialer.HopProxy + " " + c.reach.address, Err: noHTTP(rejectedCertificate(err))}
}

// rejectedCertificate explains the alert of a server that did not like our
// certificate. With TLS 1.3 it arrives after the handshake, in place of the
// answer.
func rejectedCertificate(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return fmt.Errorf("the server rejected our certificate, or wants one; its log says why: %w", err)
	}
	return err
}
