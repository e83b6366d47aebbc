// Package sshtunnel dials through SSH servers: bastions and nodes that take
// nobody but SSH.
//
// A [Dialer] keeps one SSH client to one server. The first dial connects and
// authenticates, dials at the same time share that handshake, and every conn is
// a channel of the client. A handshake goes on, within its own bound, when those who
// waited for it have given up: so a server that takes longer than its callers wait is
// there for the next one. A dead server is found by keepalives, an idle client is
// closed, and the next dial connects anew.
//
//	hosts, err := sshtunnel.NewKnownHosts([]string{"/etc/egress/known_hosts"}, sshtunnel.FileOptions{})
//	...
//	key, err := sshtunnel.NewKeyFile("/etc/egress/id_ed25519", sshtunnel.KeyFileOptions{})
//	...
//	d, err := sshtunnel.New(sshtunnel.Config{
//		Address:     "bastion.example.com:22",
//		User:        "egress",
//		HostKeys:    hosts,
//		Credentials: []sshtunnel.Credentials{key},
//	})
//	...
//	defer d.Close()
//	conn, err := d.DialContext(ctx, "tcp", "10.0.0.5:10250")
//
// # Many nodes
//
// A [Pool] has a Dialer for each of many servers, and says which one a destination
// is reached through: a [NodesFile], [LiveNodes] or a [NodeList] has the hosts and
// networks that are on each node, or the caller's own function knows. A destination
// on no node goes through the default, where one is named, and is refused
// otherwise: it never goes through a server it has nothing to do with. A list that
// could not be refreshed, or has become empty, changes nothing and is reported.
//
// # Logs
//
// Each part has a Log of its own, silent when nil: [FileOptions] for new and broken
// files, [Config] for connects, failed handshakes and lost clients, [PoolConfig] for
// the list of nodes. In a Pool Config is the Template, and its lines have the name
// of the node.
//
// # Trust
//
// There is no way to leave the host key unchecked: [New] fails without
// [HostKeys]. They are known_hosts files, pinned keys, or authorities that sign
// host certificates. Files are followed: what counts is what they hold at a
// handshake, a broken file keeps the last good content, and live clients stay.
//
// By default nothing is spoken but modern algorithms: no SHA-1, no CBC, no key
// exchange that is not strict. [Config.SSH] replaces them.
//
// # What SSH cannot do
//
// The conns keep what package dialer promises, with these corners to know:
//
//   - The server resolves names, so "tcp4" and "tcp6" are for literal addresses.
//   - SSH has an end of file and a close, and no reset. A channel that is closed
//     without an end of file is reported as a reset, unless this side had ended
//     its own direction before, for then the two cannot be told apart. OpenSSH
//     reports a reset of the target as its end of file.
//   - OpenSSH tells why it cannot connect in words alone, those of its system.
//     For unix sockets it says nothing but that it failed, also when its own
//     rules forbid the socket; this is reported as refused.
//   - The package below grants each channel 2 MiB of unread bytes. That is what
//     a conn can hold that nobody reads, and Config.MaxConns bounds how many. It
//     also keeps for each channel the largest packet sent, at most 32 KiB. Each
//     packet costs it some 30 bytes more, so a server that sends single bytes on
//     purpose can have it hold some 30 times as much.
package sshtunnel
