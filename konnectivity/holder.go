package konnectivity

import (
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/sallyport/sallyport/dialer"
)

// holder is whom a peer has proved to be: the holder of a certificate, of a
// token, or of both.
type holder struct {
	leaf *x509.Certificate // nil: no certificate
	user *User             // nil: no token
}

// newHolder returns what p has proved, which is something. A certificate that
// came along must be a good one even where the token alone would do.
func newHolder(p Peer) (holder, error) {
	leaf, err := verifiedLeaf(p.TLS)
	if errors.Is(err, errNoCertificate) && p.User != nil {
		return holder{user: p.User}, nil
	}
	return holder{leaf: leaf, user: p.User}, err
}

var errNoCertificate = fmt.Errorf("%w: no verified client certificate", dialer.ErrDenied)

// String names the holder for an error.
func (h holder) String() string {
	switch {
	case h.leaf == nil:
		return fmt.Sprintf("user %q", h.user.Name)
	case h.user == nil:
		return fmt.Sprintf("certificate %q", describeLeaf(h.leaf))
	}
	return fmt.Sprintf("certificate %q and user %q", describeLeaf(h.leaf), h.user.Name)
}
