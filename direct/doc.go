// Package direct dials TCP targets straight from this process.
//
// It is net.Dialer with the three things an egress of a control plane needs
// besides: the name is resolved once, every address it resolved to is put to a
// policy, and what is dialed is an address that the policy has seen. A name
// that changes its answer between the check and the dial, as in DNS rebinding,
// gains nothing.
//
//	d := &direct.Dialer{
//		Allow: func(ctx context.Context, host string, addr netip.AddrPort) error {
//			if !pods.Contains(addr.Addr().Unmap()) {
//				return errors.New("not a pod")
//			}
//			return nil
//		},
//	}
//	conn, err := d.DialContext(ctx, "tcp", "web.default.svc:80")
//
// The zero [Dialer] works and allows everything. Hosts with addresses of both
// families are raced as in RFC 8305 (happy eyeballs). The conn is the bare
// *net.TCPConn, so copying between two of them stays in the kernel.
//
// # What a policy sees
//
// Allow gets the address as the kernel will, with these corners to know:
//
//   - An address literal is passed as it was given: "::ffff:127.0.0.1" arrives
//     IPv4-mapped, though it reaches the same host as 127.0.0.1. A policy that
//     lists what is forbidden should look at Unmap of it. Addresses that a name
//     resolved to are never mapped.
//   - The unspecified addresses 0.0.0.0 and :: reach this host itself, and so
//     does an empty host, which is passed as one of them. A policy that forbids
//     loopback should forbid these too.
//   - The zone of a link-local address is part of it.
//
// Every error is a *dialer.Error that broke at the hop resolve, policy or
// target. The package builds from the standard library alone.
package direct
