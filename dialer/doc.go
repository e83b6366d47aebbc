// Package dialer is the contract every way out of a control plane keeps.
//
// A [Dialer] has one method, DialContext, with the signature that net.Dialer,
// http.Transport, grpc.WithContextDialer and Kubernetes' DialFunc share, so any
// Dialer here fits where those are asked for, and theirs fit here through
// [Func].
//
// # What a Dialer promises
//
//   - What it returns is a real [net.Conn]: deadlines wake blocked calls,
//     addresses are never nil, Close may be called twice, and bytes written
//     before Close arrive. A reset of the far side is an error, never io.EOF.
//     Where the protocol allows it the conn is a [CloseWriter].
//   - The context bounds the dial and nothing else. Cancelling it during the
//     dial stops the dial on every hop; once DialContext has returned it no
//     longer matters.
//   - Every error is an [*Error]: it names the hop that broke, and [KindOf] or
//     errors.Is tell refused, timeout, no such host, denied and no route apart,
//     even when the failure happened at the far end of a tunnel.
//   - A network is one that the Dialer documents, "tcp" in most cases. Every
//     other is refused, never taken for a similar one: who asks for "udp" must
//     not get TCP, and a Dialer that hands its argument on to net.Dialer must
//     not turn out to do UDP or unix sockets.
//
// The package dialertest checks all of it against any Dialer, a user's own
// included.
//
// # Building blocks
//
// [Traced] reports each dial to a [Trace], [WithTimeout] bounds each dial, and
// [Annotate] adds the class and route that another layer knows; [Describe] asks
// the layer below for them. The package builds from the standard library alone
// and keeps no state.
package dialer
