package grpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/sallyport/sallyport/internal/link"
	"github.com/sallyport/sallyport/internal/link/message"
	"github.com/sallyport/sallyport/internal/link/packet"
	"github.com/sallyport/sallyport/internal/wire"
)

// Pings to a server that is not ours. Upstream's throws out whoever pings more
// often than every 30 s; the rest is for a network that delays one ping and not
// the next.
const (
	clientPing        = 35 * time.Second
	clientPingTimeout = 15 * time.Second
)

var (
	errOneConnection = errors.New("the tunnel has one connection, and it was used")
	errSlowHello     = errors.New("hello: the server did not answer in time")
)

// newClient returns the gRPC client over the tunnel's connection.
func (a *Agent) newClient() (*grpc.ClientConn, error) {
	var used atomic.Bool
	opts := []grpc.DialOption{
		grpc.WithMaxHeaderListSize(maxHeader),
		experimental.WithBufferPool(buffers{}),
		grpc.WithReadBufferSize(readBuffer),
		grpc.WithWriteBufferSize(writeBuffer),
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if used.Swap(true) {
				return nil, errOneConnection
			}
			return a.conn, nil
		}),
		grpc.WithTransportCredentials(finished{}),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(wire.Codec{}),
			grpc.MaxCallRecvMsgSize(a.maxMessage()),
			grpc.MaxRetryRPCBufferSize(1), // nothing is to be sent twice, so nothing is to be kept
		),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{
			Time: clientPing, Timeout: clientPingTimeout, PermitWithoutStream: true,
		}),
		grpc.WithIdleTimeout(0),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithNoProxy(),
		grpc.WithUserAgent(a.Hello.Software),
	}
	if a.mayWindow() {
		opts = append(opts, grpc.WithStaticStreamWindowSize(roadWindow), grpc.WithStaticConnWindowSize(roadWindow))
	}
	return grpc.NewClient("passthrough:///"+authority(a.conn.Conn), opts...)
}

// mayWindow reports whether the tunnel may have windows. The server agrees to them, or
// there is no tunnel.
func (a *Agent) mayWindow() bool { return !a.Plain && !a.NoWindows }

// maxMessage is larger for upstream's servers, which send what they like.
func (a *Agent) maxMessage() int {
	if a.mayWindow() {
		return maxMessage
	}
	return wire.MaxMessage
}

// authority names the server in requests, as it was named in the TLS handshake.
func authority(c net.Conn) string {
	if tc, ok := c.(interface{ ConnectionState() tls.ConnectionState }); ok {
		if name := tc.ConnectionState().ServerName; name != "" {
			return name
		}
	}
	return "server"
}

// bothWays describes the stream.
var bothWays = grpc.StreamDesc{ServerStreams: true, ClientStreams: true}

// hello calls Connect and learns whether the server takes us.
func (a *Agent) hello() error {
	a.Hello.Version = message.Version
	switch {
	case a.Plain:
	case a.NoWindows:
		a.Hello.Features = append(slices.Clip(a.Hello.Features), featureHalfClose)
	default:
		a.Hello.Features = append(slices.Clip(a.Hello.Features), featureHalfClose, featureWindows)
	}
	late := time.AfterFunc(a.HelloTimeout, func() { a.conn.closeWith(errSlowHello) })
	defer late.Stop()
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(a.life, offer(&a.Hello)))
	stream, err := a.client.NewStream(ctx, &bothWays, methodConnect)
	if err != nil {
		cancel()
		return fmt.Errorf("hello: %w", err)
	}
	reply, err := awaitReply(stream)
	if err != nil {
		cancel()
		return err
	}
	if a.mayWindow() && !slices.Contains(reply.Features, featureWindows) {
		cancel()
		return fmt.Errorf("hello: the server offers %w", errNoWindows)
	}
	a.prepare(stream, cancel, reply.Features)
	close(a.ready)
	if a.Up != nil {
		a.Up(reply)
	}
	return nil
}

// awaitReply waits for the server's header, or for the status that comes in its
// place.
func awaitReply(stream grpc.ClientStream) (message.Reply, error) {
	md, err := stream.Header()
	if err == nil {
		if reply, ok := readReply(md); ok {
			return reply, nil
		}
	}
	// Without a header the stream has ended, and its status says why.
	var p wire.Packet
	ended := stream.RecvMsg(&p)
	p.Free()
	if ended != nil && ended != io.EOF {
		err = ended
	}
	if err == nil {
		return message.Reply{}, errors.New("hello: the server did not say its id: is it a Konnectivity server?")
	}
	if reply, ok := refused(err); ok {
		return reply, &link.RefusedError{Reply: reply}
	}
	if status.Code(err) == codes.Unimplemented {
		// In words alone: as a status it would be taken for a tunnel's end.
		return message.Reply{}, fmt.Errorf("hello: this is a front end's port, not the agents': %s", short(status.Convert(err).Message()))
	}
	return message.Reply{}, fmt.Errorf("hello: %w", err)
}

// prepare makes the carrier of the Connect stream. end cancels the stream.
func (a *Agent) prepare(stream grpc.ClientStream, end func(), features []string) {
	a.ours = !a.Plain && slices.Contains(features, featureHalfClose)
	a.windows = a.ours && !a.NoWindows && slices.Contains(features, featureWindows)
	a.pulse = &pulse{conn: a.conn, every: keepAlive(a.KeepAlive)}
	cfg := packet.Config{
		Stream: stream, Cancel: end, Extended: a.ours,
		Patience: patience, Memory: a.memory(), Quota: sendQuota, Handle: a.handle,
		OnPacket: a.OnPacket, OnError: a.OnError,
	}
	if a.windows {
		cfg.Windows = a.pulse.windows()
	}
	a.control = packet.New(cfg)
	a.pulse.carrier = a.control
	if !a.ours {
		a.pulse.every = -1 // gRPC pings a server that is not ours, and rarely
	}
}

// reason chooses between what a stream ended with and what its connection did.
func (a *Agent) reason(err error) error {
	if _, no := errors.AsType[*link.RefusedError](err); no {
		return err
	}
	if cause := a.conn.cause(); cause != nil {
		return cause
	}
	if err == nil {
		return fmt.Errorf("the server ended the tunnel: %w", io.EOF)
	}
	if st, ok := status.FromError(err); ok {
		return fmt.Errorf("the server ended the tunnel: %s (%v)", short(st.Message()), st.Code())
	}
	return err
}
