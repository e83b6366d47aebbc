package sshtunnel

import (
	"slices"

	"golang.org/x/crypto/ssh"
)

// modern returns the algorithms that are spoken by default, most wanted first.
// None of them has SHA-1 or CBC. Ciphers that authenticate by themselves come
// first, AES before ChaCha20, as processors know AES.
func modern() ssh.Config {
	return ssh.Config{
		KeyExchanges: []string{
			ssh.KeyExchangeMLKEM768X25519,
			ssh.KeyExchangeCurve25519,
			ssh.KeyExchangeECDHP256,
			ssh.KeyExchangeECDHP384,
			ssh.KeyExchangeECDHP521,
			ssh.KeyExchangeDH16SHA512,
		},
		Ciphers: []string{
			ssh.CipherAES128GCM,
			ssh.CipherAES256GCM,
			ssh.CipherChaCha20Poly1305,
			ssh.CipherAES256CTR,
			ssh.CipherAES192CTR,
			ssh.CipherAES128CTR,
		},
		MACs: []string{
			ssh.HMACSHA256ETM,
			ssh.HMACSHA512ETM,
			ssh.HMACSHA256,
			ssh.HMACSHA512,
		},
	}
}

// modernHostKeys are the signature algorithms that a server may prove itself
// with by default, most wanted first. Certificates come first, for who knows an
// authority wants one.
func modernHostKeys() []string {
	return []string{
		ssh.CertAlgoED25519v01,
		ssh.CertAlgoECDSA256v01,
		ssh.CertAlgoECDSA384v01,
		ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01,
		ssh.CertAlgoRSASHA256v01,
		ssh.KeyAlgoED25519,
		ssh.KeyAlgoECDSA256,
		ssh.KeyAlgoECDSA384,
		ssh.KeyAlgoECDSA521,
		ssh.KeyAlgoRSASHA512,
		ssh.KeyAlgoRSASHA256,
	}
}

// certificates are the algorithms of host certificates.
func certificates() []string { return modernHostKeys()[:6] }

// plainKeys are the algorithms of host keys that stand for themselves.
func plainKeys() []string { return modernHostKeys()[6:] }

// algorithmsOf returns the signature algorithms of a key of the given type. An
// RSA key has several, of which the one with SHA-1 is not among them.
func algorithmsOf(keyType string) []string {
	switch keyType {
	case ssh.KeyAlgoRSA:
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	case ssh.CertAlgoRSAv01:
		return []string{ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01}
	}
	return []string{keyType}
}

// askFor returns those of allowed, in their order, that known has; all of them
// where nothing is known. Where the two have nothing in common it returns all as
// well: the server then shows some key, and the refusal can tell which.
func askFor(allowed, known []string) []string {
	var common []string
	for _, a := range allowed {
		if slices.Contains(known, a) {
			common = append(common, a)
		}
	}
	if len(common) == 0 {
		return slices.Clone(allowed)
	}
	return common
}
