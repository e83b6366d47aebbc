// Package transport is verified TLS over any [dialer.Dialer].
//
// # A dialer that verifies
//
// [New] makes a [Dialer] from an underlying dialer and [Roots]. Each dial goes
// through the underlying dialer, straight or by a tunnel, and ends with a
// handshake that the standard library verifies in full: chain, dates, usage and
// name. The name is that of the logical address the caller asked for, never of
// the address it was mapped to. There is no mode without verification; a Config
// without Roots is a construction error.
//
// A selector's trace, below, has reported its dial as done when the handshake
// begins. What fails from then on is in the error of [Dialer.DialContext], which
// names the class and the route of the selector all the same.
//
// For kubelets, [Config.NodeName] adds what a name in a certificate does not
// say: the peer must be the node that was meant, by the subject the cluster's
// signer gave it (common name system:node:NAME, organization system:nodes).
// Otherwise one node's valid certificate serves for another node's address.
//
// # Files that reload
//
// [CAFile] and [KeyPair] read PEM files and look at them again, at most once an
// interval, when a handshake needs them. They start no goroutine, and the
// handshakes beside the one that reads go on with what is known. A broken
// rewrite keeps the last good content and is reported once, through a logger and
// through hooks, without a byte of the file. [StaticRoots] and
// [StaticCertificate] are their counterparts in memory.
//
// Every handshake takes the roots of its moment. Connections that stand when
// the roots change live on.
//
// # Servers
//
// [ServerConfig] makes the tls.Config of a listener that demands verified client
// certificates, with roots and certificate from the same reloading files.
//
// # HTTP
//
// [NewRoundTripper] makes the one http.RoundTripper of a class of destinations:
// pooled, HTTP/2 where the peer speaks it, no proxy from the environment, https
// only. After a change of the roots or of the client certificate, new requests
// never ride on connections made before it, while running responses go on.
//
// A [RoundTripper] also answers the two questions that Kubernetes' upgrade path
// asks (exec, attach, port-forward): which dialer and which TLS configuration.
// What is dialed there is verified under the same roots and the same node rule.
// A transport that hides its configuration loses verification there, silently.
//
// # Client certificates and TLS 1.3
//
// In TLS 1.3 the client's handshake is over before the server has looked at the
// client's certificate. A server that refuses it says so by an alert which
// arrives at the first Read, not at DialContext.
package transport
