package konnectivity

import (
	"context"
	"fmt"

	"github.com/sallyport/sallyport/dialer"
)

// User is whom a bearer token is for.
type User struct {
	// Name is never empty, as in "system:serviceaccount:kube-system:konnectivity-agent".
	Name string
	// UID tells users of one name apart, where the authenticator knows it.
	UID string
	// Groups are the groups the user is in.
	Groups []string
}

// A TokenAuthenticator finds out whom an agent's bearer token is for.
type TokenAuthenticator interface {
	// AuthenticateToken returns the token's user. An error that wraps
	// [dialer.ErrDenied] says that the token is not good: unknown, expired, for
	// another audience. Any other says that it could not be checked now, and the
	// agent will come again. Neither may contain the token; where one does, the
	// server takes it out. It is called once per tunnel that brings a token, from
	// many goroutines, and must return when ctx is done.
	AuthenticateToken(ctx context.Context, token string) (User, error)
}

// TokenAuthenticatorFunc is a function as a [TokenAuthenticator].
type TokenAuthenticatorFunc func(ctx context.Context, token string) (User, error)

// AuthenticateToken calls f. A nil f denies every token.
func (f TokenAuthenticatorFunc) AuthenticateToken(ctx context.Context, token string) (User, error) {
	if f == nil {
		return User{}, fmt.Errorf("%w: there is no token authenticator", dialer.ErrDenied)
	}
	return f(ctx, token)
}
