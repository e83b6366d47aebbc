package sshtunnel

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// trust is what is known of one host.
type trust struct {
	keys        []KnownKey
	authorities []KnownKey
	revoked     map[string]KnownKey // by fingerprint
}

// verify returns nil when key is one of the host's, or is a certificate of one
// of its authorities that is valid for address now.
func (t trust) verify(address string, key ssh.PublicKey) error {
	refused := &HostKeyError{Address: address, Reason: ChangedKey, Shown: key}
	if r, ok := t.isRevoked(key); ok {
		refused.Reason, refused.Expected = RevokedKey, []KnownKey{r}
		return refused
	}
	cert, ok := key.(*ssh.Certificate)
	switch {
	case !ok:
		if find(t.keys, key) {
			return nil
		}
	case t.signed(cert):
		if refused.Err = checkCertificate(address, cert); refused.Err == nil {
			return nil
		}
		refused.Reason = BadCertificate
	}
	refused.Expected = t.known()
	if len(refused.Expected) == 0 {
		refused.Reason = UnknownHost
	}
	return refused
}

// known returns the keys that do.
func (t trust) known() []KnownKey { return slices.Concat(t.authorities, t.keys) }

// isRevoked looks for key, for the key in a certificate, and for its signer: the
// word of a revoked authority is worth nothing.
func (t trust) isRevoked(key ssh.PublicKey) (KnownKey, bool) {
	look := []ssh.PublicKey{key}
	if cert, ok := key.(*ssh.Certificate); ok {
		look = append(look, cert.Key, cert.SignatureKey)
	}
	for _, k := range look {
		if r, ok := t.revoked[ssh.FingerprintSHA256(k)]; ok {
			return r, true
		}
	}
	return KnownKey{}, false
}

func (t trust) signed(cert *ssh.Certificate) bool { return find(t.authorities, cert.SignatureKey) }

// algorithms returns the key algorithms that the host can be verified by. Those with
// SHA-1 are among them, for who allows them by Config.HostKeyAlgorithms.
func (t trust) algorithms() []string {
	var known []string
	if len(t.authorities) > 0 {
		known = append(certificates(), ssh.CertAlgoRSAv01)
	}
	for _, k := range t.keys {
		if k.Type == "" {
			return append(append(known, plainKeys()...), ssh.KeyAlgoRSA) // a fingerprint may be of any type
		}
		known = append(known, algorithmsOf(k.Type)...)
		if k.Type == ssh.KeyAlgoRSA {
			known = append(known, ssh.KeyAlgoRSA)
		}
	}
	return known
}

// find looks for key by its fingerprint, a SHA-256 of all of it.
func find(keys []KnownKey, key ssh.PublicKey) bool {
	print := ssh.FingerprintSHA256(key)
	return slices.ContainsFunc(keys, func(k KnownKey) bool { return k.Fingerprint == print })
}

// checkCertificate checks everything about a host certificate but who signed it.
func checkCertificate(address string, cert *ssh.Certificate) error {
	host, _, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		return err
	case cert.CertType != ssh.HostCert:
		return errors.New("not a host certificate")
	case cert.Signature == nil || cert.Signature.Format == ssh.KeyAlgoRSA:
		return errors.New("signed with SHA-1")
	}
	return new(ssh.CertChecker).CheckCert(canonicalHost(host), cert)
}

// canonicalHost returns host as it is compared: names in lower case, addresses
// in their one shortest form.
func canonicalHost(host string) string {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.String()
	}
	return strings.ToLower(host)
}
