// Package sallyport is a library of egress dialers for control planes.
//
// An apiserver, a hosted control plane or a fleet manager hands it a destination
// and gets back a connection. The library decides which guarded way out to take:
// straight over verified TLS, through a reverse tunnel that an agent on the far
// side has opened, or over SSH. This package holds the tour and an example; the code is
// in the packages below, in the order in which a dial takes them.
//
// # The contract
//
// Package dialer is what all of them have in common. A dialer.Dialer has the one
// method DialContext, which fits http.Transport, gRPC and client-go. What it
// returns is a real net.Conn; the context bounds the dial and not the
// connection; an error is a *dialer.Error that names the hop that broke, and the
// class and the route where a selector took part. Package dialer/dialertest checks
// what a Dialer has to do against any of them, also one of yours.
//
// # Which way
//
// Package selector gives each destination a class (kubelet, node, pod, service,
// etcd, controlplane, or one of your own) by rules or by what the caller says,
// and each class a route. An address without a class and a class without a route
// are errors; nothing is ever dialed directly for want of a rule. Failover is a
// route made of several, and has to be asked for.
//
// # Straight
//
// Package direct dials TCP from this process. It resolves a name once, puts every
// address to a policy, and dials the address that the policy has seen.
//
// # Through a tunnel
//
// Package konnectivity has both ends of a reverse tunnel. Its Server takes the
// connections of agents and is a Dialer through them. Its Agent runs on a node or
// in a network and connects to targets there. The Server's Identity says what an
// agent may claim by its certificate, the Agent's Policy what it may be made to
// connect to; neither can be left out. Its documentation has both ends, how they
// end, and the certificates they need.
//
// Both speak a protocol of our own and that of Kubernetes' Konnectivity. A
// Frontend of the package serves a kube-apiserver, or whoever else speaks that
// protocol's GRPC or HTTP CONNECT, through any Dialer; a Client is a Dialer
// through such a front. The programs konnectivity-server and konnectivity-agent,
// in the module cmd, are these parts behind upstream's flags.
//
// # Over SSH
//
// Package sshtunnel dials through SSH servers. Its Dialer keeps one client to one
// server, opened by the first dial and shared by all; chains of bastions are made
// of several. Its Pool does that for many nodes: a list says which node each
// destination lives on, and what lives on none is refused, unless a default was
// named. Host keys are verified always, by known_hosts files, pinned keys or host
// certificates.
//
// # Verified
//
// Package transport puts verified TLS on top of any Dialer, so that it is the
// destination that is verified and not the tunnel. Authorities and certificates
// come from files and follow them; a kubelet can be required to be the very node
// that was meant. A RoundTripper makes it the one shared HTTP transport of a
// class. There is no unverified mode. Package files says how files are followed, here
// and in sshtunnel.
//
// # All of it at work
//
// The example embeds the library as a control plane would. The command
// examples/quickstart shows every class, what is refused, and a rotation;
// examples/bastion goes through a real SSH server.
//
// Every constructor checks its configuration and starts nothing. What blocks is
// called Serve or Run, and owns what it starts. Nothing is global; loggers and
// trace hooks are handed in, and nil is silent.
package sallyport
