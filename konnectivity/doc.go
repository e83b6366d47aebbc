// Package konnectivity reaches into networks that cannot be dialed into: agents
// there open tunnels to a server here, and the server dials through them.
//
// # Both ends
//
// The control plane's end is a [Server], which is a [dialer.Dialer]. This much
// starts it:
//
//	server, err := konnectivity.NewServer(konnectivity.ServerConfig{
//		TLS:      agentTLS, // of transport.ServerConfig
//		Identity: konnectivity.NodeIdentity(),
//	})
//	go server.Serve(ctx, listener)
//	conn, err := server.DialContext(ctx, "tcp", "node-1:10250")
//
// The other end is an [Agent], on a node or in a network:
//
//	policy, err := konnectivity.NewPolicy(konnectivity.PolicyRule{
//		Names: []string{"node-1"}, CIDRs: []string{"10.0.0.0/16"}, Ports: []string{"10250"},
//	})
//	agent, err := konnectivity.NewAgent(konnectivity.AgentConfig{
//		ID:          "node-1",
//		Identifiers: konnectivity.Identifiers{Hosts: []string{"node-1"}},
//		Servers:     []string{"tunnel.example:8091"},
//		Roots:       serverCA, Certificates: pair, // of package transport
//		Policy:      policy,
//	})
//	err = agent.Run(ctx)
//
// # Claim, Identity, Policy
//
// Three things decide whether a connection comes about, each in one place.
//
//   - What an agent claims, its ID and [Identifiers], is what it wants to be
//     picked for: hosts, addresses, networks, or as the default route whatever
//     nobody else claims. Nobody believes it for having said so.
//   - The server's [Identity] decides, by the agent's credential, whether it may
//     claim that. An agent whose claim goes beyond it by one name is refused as a
//     whole. It keeps one node's agent from taking another's traffic.
//   - The agent's [Policy] decides what the agent may be made to connect to,
//     whatever the server asks for. It keeps a server that was taken over from
//     using the agent's network at will.
//
// A claim is no permission and a policy no claim: an agent that claims
// 10.1.0.0/16 and whose policy allows 10.1.2.0/24 is picked for all of the former
// and refuses what is outside of the latter. [NodeIdentity] lets an agent with
// its kubelet's credentials claim its own node and nothing else, no network and
// no default route. For an agent that serves pods add a rule with CIDRs of its
// own to [NodeRule], as the example of [NewIdentity] does.
//
// # Names
//
// The agent resolves names, with its own resolver, in its own network; the server
// hands them on as they are. To pick an agent the server compares a name with the
// Hosts that were claimed and an address with the Addrs and CIDRs. A name is never
// found in a CIDR: who dials pods by name needs an agent that claims the name or
// the default route.
//
// The agent asks its Policy before it looks a name up and again about every
// address that comes back, and dials an address it has asked about. A node's agent
// that is to reach its kubelet by the node's name must be able to resolve it:
// where no DNS knows the name, set AgentConfig.Resolver.
//
// Loopback, link-local addresses, cloud metadata services and their like are
// refused even to a rule for 0.0.0.0/0; a rule has to name them, as in CIDRs
// "127.0.0.1/32". What listens there often trusts whoever can reach it, and
// nobody who writes a wide network means it. See [PolicyRule] for all of them.
//
// # Protocols
//
// A tunnel speaks one of two protocols on the same port, and ALPN picks. Our own,
// over yamux frames, is preferred between our own ends. The other is Konnectivity's
// gRPC, so that upstream's agents are served by a Server, and an Agent serves
// upstream's servers, without being told which they are. Between our own ends each
// connection on it has flow control and half-close. With upstream's programs the
// protocol knows neither. Protocols in the configurations pins one, and the Protocol of [AgentInfo]
// and [TunnelInfo] shows which it has become.
//
// What upstream's protocol cannot give, no end can mend. Its connections have no
// CloseWrite. Behind our server and upstream's agent, one whose reader takes nothing for a
// second while others wait behind it is reset alone; several at a time share that second, and where one after the
// other gets stuck it shrinks, for a while, to a part in 32.
//
// # Credentials
//
// An agent shows a certificate, a bearer token, or both. ServerConfig.TLS says what
// the server wants, and with ServerConfig.Tokens it takes tokens, which it has
// checked by a [TokenAuthenticator]. A token comes from AgentConfig.Token, usually a
// [TokenFile], which is read at each connect, so that one that was rotated counts
// from then on. An [IdentityRule] binds claims to the certificate, to the token's
// [User] and its groups, or to both together. A token is checked when the tunnel
// comes up, and not again.
//
// # Several servers
//
// ServerConfig.ServerCount tells agents how many servers there are. An agent keeps a
// tunnel to each of its addresses and, while fewer different servers are connected
// than the largest number it was told, tries further connections through them: behind
// a load balancer they lead to one server after the other. One that leads to a server
// that is connected already is closed at once, before any connection comes about
// through it; the next waits, longer each time, up to half a minute. When a server
// announces that it leaves, or is lost, the agent looks again at once.
//
// # Several tunnels
//
// Agents keep a tunnel to each server they are told of. On one server all tunnels
// of one agent id are pooled, be they of one agent or of several processes with
// the same id and certificate: each dial takes the least loaded of those that
// claim the destination most closely. Two tunnels of one process do not add up,
// since the newer replaces the older. [ServerConfig].MaxTunnelsPerAgent bounds the
// pool.
//
// An agent that is about to end is draining: its open connections go on, and new
// ones take it as the last resort only, where no other agent is left to try.
//
// # Front ends
//
// Who cannot import this package, a stock kube-apiserver above all, dials through a
// [Frontend]: it takes connections in one of upstream's two modes, Konnectivity's
// gRPC or HTTP CONNECT, and makes each with its Dialer, mostly a Server. Its port is
// another one than the agents'. On the same machine it listens on a unix socket of
// [ListenUnix], guarded by the permissions of the file; everywhere else it wants TLS
// and the client's certificate, for who gets in reaches all that the Dialer reaches.
//
// A [Client] is the other side: a dialer.Dialer through a Frontend, or through
// upstream's server, in the same mode. The example of [NewFrontend] has both.
//
// # Ending
//
//   - The end of Serve's ctx cuts every tunnel that came in on that listener,
//     with all connections in it, at once.
//   - [Server.Shutdown] takes no new agents and no new dials, lets the open
//     connections end, within its own ctx, and closes what is left.
//   - [Server.Close] cuts everything at once and waits until it has ended.
//   - The end of Run's ctx makes an agent drain, for AgentConfig.DrainTimeout.
//
// To end a server gently, call Shutdown while Serve's ctx is still alive.
//
// Reading from a connection that was cut, by any of these, by the loss of its tunnel
// or by a reset of its target, ends with an error that errors.Is finds to be
// syscall.ECONNRESET, as a socket's is, and never with io.EOF. Where that cannot be
// told, through upstream's programs and over HTTP CONNECT on a unix socket, is with
// [Client] and [Frontend].
//
// # Certificates
//
// Four certificates are at work: two in the tunnel and, where the target is a
// kubelet that package transport verifies, two inside it. The file names are those
// of the examples.
//
//	               the server's         an agent's            a kubelet's          the control plane's
//	file           tunnel.crt, .key     agent.crt, .key       on its node          apiserver.crt, .key
//	signed by      tunnel-ca.crt        agent-ca.crt          kubelet-ca.crt       the kubelets' client CA
//	which is at    the agents           the server            the control plane    the kubelets
//	EKU            serverAuth           clientAuth            serverAuth           clientAuth
//	CN             any                  system:node:NAME (1)  system:node:NAME (2) (3)
//	O              any                  system:nodes (1)      system:nodes (2)     (3)
//	SAN            the host of Servers  none needed (4)       the host dialed      none needed
//
// (1) is for [NodeIdentity] and [NodeRule]; another [IdentityRule] says what it
// wants. (2) is where transport.Config.NodeName is set. (3) is a user and its
// groups that the kubelets authorize. (4) is because an agent may claim the SANs it
// has, where IdentityRule.SANs says so. A certificate without any EKU will do.
//
// Our own protocol speaks TLS 1.3 only, whatever ServerConfig.TLS allows; gRPC takes
// 1.2 too where that does. An agent that shows a token needs no certificate, if the
// server does not want both. A kubelet's own
// client certificate (system:node:NAME of system:nodes, signed for the cluster's
// client CA) can serve as its agent's: then agent-ca.crt is that CA.
package konnectivity
