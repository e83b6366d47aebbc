// Package httpconnect is HTTP/1.1's CONNECT on a conn, at both ends: the two
// messages, what a refusal says, and a conn on which bytes of the tunnel came
// right behind a header.
//
//	client                                      server
//	CONNECT host:port HTTP/1.1            ->
//	Host: host:port
//	                                      <-    HTTP/1.1 200 Connection Established
//	bytes                                 <->   bytes
//
// A refusal is any other status, with the reason as its body. Ours says besides,
// in the header Sallyport-Error, of what kind the failure was and at which hop
// it happened:
//
//	HTTP/1.1 502 Bad Gateway
//	Sallyport-Error: refused; target via agent edge-1
//
// Everything read is bounded in bytes here; the caller bounds it in time, by the
// conn's deadline.
package httpconnect
