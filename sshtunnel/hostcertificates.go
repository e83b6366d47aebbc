package sshtunnel

import (
	"golang.org/x/crypto/ssh"
)

// HostCertificates returns HostKeys of servers that show a host certificate
// signed by one of authorities, valid now and for the host of the address.
// Without authorities [New] fails.
func HostCertificates(authorities ...ssh.PublicKey) HostKeys { return nil }
