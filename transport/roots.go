package transport

import (
	"crypto/x509"
	"fmt"
)

// Roots hands out the authorities to trust. Implementations are safe for
// concurrent use. [CAFile] is one that follows a file, [StaticRoots] one that
// stays.
type Roots interface {
	// Pool returns the authorities of this moment, which the caller must not
	// change. It is asked at every handshake and every HTTP request, so it is
	// quick, and it returns the same pool until its content changes. A nil pool
	// trusts nobody; it never means the system's authorities.
	Pool() *x509.CertPool
}

// StaticRoots returns Roots that always hand out a copy of pool made now. A nil
// or empty pool trusts nobody, and the constructors of this package refuse it.
// For the authorities of the system pass the result of [x509.SystemCertPool].
func StaticRoots(pool *x509.CertPool) Roots {
	if pool == nil {
		return staticRoots{}
	}
	return staticRoots{pool: pool.Clone()}
}

type staticRoots struct{ pool *x509.CertPool }

func (s staticRoots) Pool() *x509.CertPool { return s.pool }

// hasRoots reports whether r can be asked and trusts by a pool of its own: a
// nil pool in a tls.Config would mean the authorities of the system.
func hasRoots(r Roots) bool { return r != nil && r.Pool() != nil }

// checkRoots refuses roots that verify nobody, which are more often a file that
// was not read than what somebody meant. field is theirs in the configuration.
func checkRoots(r Roots, field, why string) error {
	if !hasRoots(r) {
		return fmt.Errorf("transport: %s is required%s", field, why)
	}
	if r.Pool().Equal(x509.NewCertPool()) {
		return fmt.Errorf("transport: %s is empty: a pool without a certificate verifies nobody", field)
	}
	return nil
}

// poolOf returns the pool of r, an empty one where r has none.
func poolOf(r Roots) *x509.CertPool {
	if p := r.Pool(); p != nil {
		return p
	}
	return x509.NewCertPool()
}
