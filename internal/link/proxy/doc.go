// Package proxy is the Proxy stream of Konnectivity's wire, at both ends: the
// gRPC call by which a client, such as a kube-apiserver, has a server connect to
// a target.
//
//	client                                       server
//	/ProxyService/Proxy                   ->
//	DIAL_REQ tcp host:port, random        ->     dials
//	                                      <-     DIAL_RSP random, connection id
//	DATA, CLOSE_REQ                       <->    DATA, CLOSE_RSP
//
// A stream carries one connection and ends with it. Its ids are its own: the
// server counts them per stream, so that no client can name another's
// connection. [Serve] is the server's end, [Dial] the client's.
//
// Between two ends of ours, which know each other by the metadata key
// sallyport-features, either way ends by itself (HALF_CLOSE) and failures carry
// their kind and hop. Upstream's programs pass the key over.
package proxy
