package konnectivity

import (
	"cmp"
	"net/netip"
	"slices"
)

// specialBlock is a block of addresses that a rule must name to allow.
type specialBlock struct {
	prefix netip.Prefix
	what   string
}

// specialBlocks are ordered from small to large. Blocks nest or are disjoint, so
// the first that holds an address is the smallest around it, and a CIDR that
// lies within that one lies within all the others.
type specialBlocks []specialBlock

func (s specialBlocks) find(a netip.Addr) (specialBlock, bool) {
	i := slices.IndexFunc(s, func(b specialBlock) bool { return b.prefix.Contains(a) })
	if i < 0 {
		return specialBlock{}, false
	}
	return s[i], true
}

func newSpecialBlocks() specialBlocks {
	v4 := specialIPv4()
	all := slices.Concat(v4, specialIPv6())
	for _, wrap := range ipv4Wrappers() {
		for _, b := range v4 {
			all = append(all, specialBlock{embedIPv4(wrap.prefix, b.prefix), wrap.what + " form of " + b.what})
		}
	}
	slices.SortStableFunc(all, func(a, b specialBlock) int { return cmp.Compare(b.prefix.Bits(), a.prefix.Bits()) })
	return all
}

func specialIPv4() []specialBlock {
	return makeBlocks([][2]string{
		{"0.0.0.0/8", "unspecified"},
		{"127.0.0.0/8", "loopback"},
		{"169.254.0.0/16", "link-local"},
		{"224.0.0.0/4", "multicast"},
		{"255.255.255.255/32", "broadcast"},
		{"169.254.169.254/32", "cloud metadata"}, // nearly every cloud
		{"169.254.170.2/32", "cloud metadata"},   // credentials of AWS tasks
		{"169.254.170.23/32", "cloud metadata"},  // credentials of AWS pods
		{"169.254.0.23/32", "cloud metadata"},    // Tencent
		{"100.100.100.200/32", "cloud metadata"}, // Alibaba
		{"168.63.129.16/32", "cloud metadata"},   // Azure's wire server
		{"192.0.0.192/32", "cloud metadata"},     // Oracle
	})
}

func specialIPv6() []specialBlock {
	return makeBlocks([][2]string{
		{"::/128", "unspecified"},
		{"::1/128", "loopback"},
		{"fe80::/10", "link-local"},
		{"fec0::/10", "site-local"},
		{"ff00::/8", "multicast"},
		{"fd00:ec2::254/128", "cloud metadata"}, // AWS
		{"fd00:ec2::23/128", "cloud metadata"},  // credentials of AWS pods
		{"fd20:ce::254/128", "cloud metadata"},  // Google
		// These stand for IPv4 addresses, and some stacks dial those instead.
		{"::ffff:0:0/96", "IPv4-mapped"},
		{"::/96", "IPv4-compatible"},
		{"2001::/32", "Teredo"},
		// The address inside may sit at any of several places, so all of it is.
		{"64:ff9b:1::/48", "local NAT64"},
	})
}

// ipv4Wrappers are the prefixes right behind which an IPv4 address is embedded.
// The blocks of specialIPv4 are special within them, too.
func ipv4Wrappers() []specialBlock {
	return makeBlocks([][2]string{
		{"::ffff:0:0/96", "IPv4-mapped"},
		{"::/96", "IPv4-compatible"},
		{"64:ff9b::/96", "NAT64"},
		{"2002::/16", "6to4"},
	})
}

// embedIPv4 returns the IPv6 block that holds the addresses of v4 behind wrap,
// whose length is a whole number of bytes.
func embedIPv4(wrap, v4 netip.Prefix) netip.Prefix {
	b, in := wrap.Addr().As16(), v4.Addr().As4()
	copy(b[wrap.Bits()/8:], in[:])
	return netip.PrefixFrom(netip.AddrFrom16(b), wrap.Bits()+v4.Bits())
}

func makeBlocks(table [][2]string) []specialBlock {
	var blocks []specialBlock
	for _, row := range table {
		blocks = append(blocks, specialBlock{netip.MustParsePrefix(row[0]), row[1]})
	}
	return blocks
}
