package testpki

import "crypto/tls"

// TB is the part of testing.TB that the helpers of a test need.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// MustCA is NewCA for tests.
func MustCA(t TB, name string) *CA {
	t.Helper()
	ca, err := NewCA(name)
	if err != nil {
		t.Fatalf("testpki: %v", err)
	}
	return ca
}

// MustIssue is Issue for tests.
func (ca *CA) MustIssue(t TB, l Leaf) PEM {
	t.Helper()
	p, err := ca.Issue(l)
	if err != nil {
		t.Fatalf("testpki: %v", err)
	}
	return p
}

// MustPair is Issue followed by Pair, for tests.
func (ca *CA) MustPair(t TB, l Leaf) tls.Certificate {
	t.Helper()
	c, err := ca.MustIssue(t, l).Pair()
	if err != nil {
		t.Fatalf("testpki: %v", err)
	}
	return c
}
