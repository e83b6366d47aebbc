package konnectivity

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/dialer"
	"github.com/sallyport/sallyport/internal/leak"
)

// goodToken is long enough that it is nowhere by chance.
const goodToken = "good.token.c2VjcmV0"

// tokens knows the users of some tokens.
type tokens map[string]User

func (m tokens) AuthenticateToken(_ context.Context, token string) (User, error) {
	u, ok := m[token]
	if !ok {
		// The worst an authenticator can do: it says what it was given.
		return User{}, fmt.Errorf("%w: token %s has expired", dialer.ErrDenied, token)
	}
	return u, nil
}

func edgeUser() User {
	return User{Name: "system:serviceaccount:kube-system:edge", Groups: []string{"system:serviceaccounts"}}
}

// staticToken is a source that never changes.
func staticToken(token string) TokenSource {
	return TokenSourceFunc(func(context.Context) (string, error) { return token, nil })
}

// tokenWorld is a server whose agents may come with tokens; auth says what
// certificates mean to it.
func tokenWorld(t testing.TB, auth tls.ClientAuthType, a TokenAuthenticator) *world {
	return newWorld(t, func(c *ServerConfig) {
		c.TLS.ClientAuth = auth
		if auth == tls.NoClientCert {
			c.TLS.ClientCAs = nil
		}
		c.Tokens = a
		c.HandshakeTimeout = 2 * time.Second
	})
}

// credentials are what an agent shows: a certificate, and a token unless empty.
func (w *world) credentials(cert bool, token string) AgentConfig {
	cfg := w.agentConfig("edge", everywhere)
	if !cert {
		cfg.Certificates = nil
	}
	if token != "" {
		cfg.Token = staticToken(token)
	}
	return cfg
}

func TestCredentials(t *testing.T) {
	const (
		both   = tls.RequireAndVerifyClientCert
		either = tls.VerifyClientCertIfGiven
		none   = tls.NoClientCert
	)
	for name, c := range map[string]struct {
		auth  tls.ClientAuthType
		cert  bool
		token string
		want  string // in the agent's error; empty: admitted
	}{
		"token where either will do":       {either, false, goodToken, ""},
		"certificate where either will do": {either, true, "", ""},
		"both where either will do":        {either, true, goodToken, ""},
		"bad token":                        {either, false, "bad.token.c2VjcmV0", "the token was not accepted"},
		"bad token beside a certificate":   {either, true, "bad.token.c2VjcmV0", "the token was not accepted"},
		"both where both are wanted":       {both, true, goodToken, ""},
		"no token where both are wanted":   {both, true, "", "no token"},
		"no certificate where both are":    {both, false, goodToken, "the server wants a client certificate"},
		"bad token where both are wanted":  {both, true, "bad.token.c2VjcmV0", "the token was not accepted"},
		"token alone":                      {none, false, goodToken, ""},
		"token beside an unasked pair":     {none, true, goodToken, ""},
		"certificate nobody asked for":     {none, true, "", "no credential"},
	} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			w := tokenWorld(t, c.auth, tokens{goodToken: edgeUser()})
			cfg := w.credentials(c.cert, c.token)
			if c.want == "" {
				w.run(cfg)
				info := w.srv.Agents()[0]
				if user := info.User; (user != "") != (c.token != "") {
					t.Errorf("user %q with token %q", user, c.token)
				}
				if cert := c.cert && c.auth != none; (info.Subject != "") != cert {
					t.Errorf("subject %q, certificate %v", info.Subject, cert)
				}
				talk(t, dial(t, w.srv, echo(t)), "hello")
			} else {
				a, _ := w.start(cfg)
				eventually(t, "the refusal", func() bool {
					for _, info := range a.Tunnels() {
						if info.Err != nil && strings.Contains(info.Err.Error(), c.want) {
							return true
						}
					}
					return false
				})
				if len(w.srv.Agents()) != 0 {
					t.Error("it was admitted")
				}
				eventually(t, "the refusal in the server's log", func() bool { return strings.Contains(w.logs.String(), "agent refused") })
			}
			w.noSecrets(goodToken, "bad.token.c2VjcmV0")
		})
	}
}

// noSecrets wants none of them in either log.
func (w *world) noSecrets(secrets ...string) {
	w.t.Helper()
	for who, log := range map[string]string{"server": w.logs.String(), "agent": w.agentLogs.String()} {
		for _, s := range secrets {
			if strings.Contains(log, s) {
				w.t.Errorf("the %s's log holds the token:\n%s", who, log)
			}
		}
	}
}

// An agent without any credential cannot be made; one that comes all the same is
// refused.
func TestNoCredentialAtAll(t *testing.T) {
	leak.Check(t)
	w := tokenWorld(t, tls.VerifyClientCertIfGiven, tokens{})
	cfg := w.credentials(false, "")
	if _, err := NewAgent(cfg); err == nil || !strings.Contains(err.Error(), "AgentConfig.Certificates") {
		t.Errorf("without credentials: %v", err)
	}
	cfg.Token = staticToken(goodToken)
	bare, err := NewAgent(cfg)
	if err != nil {
		t.Fatal(err)
	}
	bare.cfg.Token = nil
	w.runAgent(bare)
	eventually(t, "refusal", func() bool {
		err := bare.Ready()
		return errors.Is(err, dialer.ErrDenied) && strings.Contains(err.Error(), "no credential")
	})
}

func TestAuthenticatorTroubles(t *testing.T) {
	for name, c := range map[string]struct {
		auth   TokenAuthenticator
		want   string
		denied bool
	}{
		"its backend is down": {
			TokenAuthenticatorFunc(func(_ context.Context, token string) (User, error) {
				return User{}, errors.New("the API server says 503 to " + token)
			}), "the token could not be checked now", false,
		},
		"no name": {
			TokenAuthenticatorFunc(func(context.Context, string) (User, error) { return User{UID: "1"}, nil }),
			"its user has no name", true,
		},
		"nil": {TokenAuthenticatorFunc(nil), "there is no token authenticator", true},
		"it hangs": {
			TokenAuthenticatorFunc(func(ctx context.Context, _ string) (User, error) {
				<-ctx.Done()
				return User{}, ctx.Err()
			}), "", false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			leak.Check(t)
			w := tokenWorld(t, tls.VerifyClientCertIfGiven, c.auth)
			a, _ := w.start(w.credentials(false, goodToken))
			eventually(t, "the failure", func() bool {
				err := a.Tunnels()[0].Err
				return err != nil && strings.Contains(err.Error(), c.want) && errors.Is(err, dialer.ErrDenied) == c.denied
			})
			if len(w.srv.Agents()) != 0 {
				t.Error("it was admitted")
			}
			if name == "its backend is down" { // which is for the server's log alone
				eventually(t, "the server's log", func() bool {
					return strings.Contains(w.logs.String(), "could not be checked now: the API server says 503 to [token]")
				})
				if err := a.Tunnels()[0].Err; strings.Contains(err.Error()+w.agentLogs.String(), "API server") {
					t.Errorf("the agent learns what the server's own business is: %v", err)
				}
			}
			w.noSecrets(goodToken)
		})
	}
}

// A server that knows its agents by certificates alone is no less strict with one
// that has a token, and does not look at a token that comes with a certificate.
func TestTokenAgainstServerWithoutTokens(t *testing.T) {
	leak.Check(t)
	w := newWorld(t, nil)
	a, stop := w.start(w.credentials(false, goodToken))
	eventually(t, "refusal", func() bool {
		err := a.Ready()
		return err != nil && strings.Contains(err.Error(), "the server wants a client certificate, which this agent has not")
	})
	if len(w.srv.Agents()) != 0 {
		t.Error("a token got an agent in where there are no tokens")
	}
	stop()
	w.run(w.credentials(true, goodToken))
	if got := w.srv.Agents()[0]; got.User != "" || got.Subject == "" {
		t.Errorf("user %q, subject %q", got.User, got.Subject)
	}
	w.noSecrets(goodToken)
}

// A GetConfigForClient that asks for no certificate must not get anybody in.
func TestPerClientConfigCannotDropTheCertificate(t *testing.T) {
	leak.Check(t)
	for name, tokenAuth := range map[string]TokenAuthenticator{"certificates": nil, "both": tokens{goodToken: edgeUser()}} {
		w := newWorld(t, func(c *ServerConfig) {
			lax := c.TLS.Clone()
			lax.ClientAuth = tls.NoClientCert
			c.TLS.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return lax, nil }
			c.Tokens = tokenAuth
		})
		a, _ := w.start(w.credentials(true, goodToken))
		eventually(t, name+": a refusal", func() bool {
			return strings.Contains(w.logs.String(), "no client certificate was asked for and verified")
		})
		if a.Ready() == nil || len(w.srv.Agents()) != 0 {
			t.Errorf("%s: admitted without a certificate", name)
		}
	}
}

// The user of a token decides what may be claimed, as a certificate does.
func TestIdentityByUser(t *testing.T) {
	leak.Check(t)
	identity, err := NewIdentity(IdentityRule{
		User: "system:serviceaccount:edge:*", UserGroup: "system:serviceaccounts",
		AgentIDs: []string{"{name}"}, Hosts: []string{"{name}.example"},
	})
	if err != nil {
		t.Fatal(err)
	}
	groups := []string{"system:serviceaccounts"}
	w := newWorld(t, func(c *ServerConfig) {
		c.TLS.ClientAuth, c.Identity = tls.VerifyClientCertIfGiven, identity
		c.Tokens = tokens{
			"token-of-edge-1": {Name: "system:serviceaccount:edge:edge-1", Groups: groups},
			"token-of-edge-2": {Name: "system:serviceaccount:edge:edge-2", Groups: groups},
			"token-of-nobody": {Name: "system:serviceaccount:edge:edge-1"},
		}
	})
	agent := func(id, host, token string) AgentConfig {
		cfg := w.agentConfig(id, Identifiers{Hosts: []string{host}})
		cfg.Certificates, cfg.Token = nil, staticToken(token)
		return cfg
	}
	w.run(agent("edge-1", "edge-1.example", "token-of-edge-1"))
	for _, bad := range []AgentConfig{
		agent("edge-1", "edge-1.example", "token-of-edge-2"), // another's id
		agent("edge-2", "edge-1.example", "token-of-edge-2"), // another's host
		agent("edge-1", "edge-1.example", "token-of-nobody"), // not of the group
	} {
		a, stop := w.start(bad)
		eventually(t, "refusal", func() bool { return errors.Is(a.Ready(), dialer.ErrDenied) })
		stop()
	}
	if n := len(w.srv.Agents()); n != 1 {
		t.Errorf("%d agents, want the honest one", n)
	}
	if !strings.Contains(w.logs.String(), `user=system:serviceaccount:edge:edge-2`) {
		t.Error("the server's log does not say whose token was refused")
	}
}
