// Package selector decides which way out a connection takes.
//
// A destination has a [Class] (kubelet, node, pod, service, etcd, control plane
// or one of the caller's own), and a class has one [Route]: a name and the
// [dialer.Dialer] that goes there. A [Selector] is itself a Dialer, so its
// DialContext drops into http.Transport, client-go or grpc.WithContextDialer.
//
// # Which class
//
// A caller that knows the class says so, with [WithClass] or by asking for a
// Dialer of one class with [Selector.For]; such a class needs a route and no
// rule. Otherwise the first [Rule] that matches the address gives the class.
// Rules look at the address as it is written: a name is never resolved here, so
// a name never matches a CIDR. They are compiled once, and a bad one fails in
// [New], not in the middle of a dial.
//
// A rule chooses a way, it does not grant permission: whether a destination may
// be reached is for the policy of the route to decide, after it has resolved
// the name.
//
// # Failing closed
//
// An address of no class and a class of no route are errors that match
// [dialer.ErrNoRoute]; nothing is ever dialled directly because a rule or a
// route was missing. The same goes for addresses that two parsers might read
// differently ("010.0.0.1", "0x7f.1", an empty host, a port by name), for
// addresses with a zone, and for networks other than tcp, tcp4 and tcp6.
//
// # Failover
//
// One route per class means that a broken route is an error, unless the caller
// spells out another one with [Failover]. It goes on to the next route when the
// route failed, as [dialer.Retryable] sees it, and never when the destination
// itself answered or a policy denied it.
//
// # Readiness
//
// Selectors, the Dialers of [Selector.For] and those of [Failover] are
// [dialer.Readier] and pass on what their routes say.
//
// # What a trace sees
//
// [Config.Trace] begins with the choice of the class and ends with the conn that
// the route returned. TLS that a layer above puts on that conn comes later and
// is not in it: a dial that the trace reports as done may still fail there. The
// error of that layer names class, route and the hop "tls" all the same, because
// Selectors and the Dialers of [Selector.For] are [dialer.Describer]. The route it
// names is that of the class: which of its own a [Failover] took is not known
// there. Where the route itself makes the TLS, the trace sees all of it.
//
// The package builds from the standard library and package dialer, starts no
// goroutines and keeps no state outside the values it returns.
package selector
