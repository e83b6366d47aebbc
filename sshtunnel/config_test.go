package sshtunnel

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/sallyport/sallyport/internal/sshtest"
)

func validConfig(t testing.TB) Config {
	t.Helper()
	key := sshtest.NewKey(t)
	return Config{
		Address: "bastion:22", User: "egress", HostKeys: PinnedKeys(key.PublicKey()),
		Credentials: []Credentials{StaticSigners(key)},
	}
}

// TestConfigNamesWhatIsWrong: New fails, and says which field it is.
func TestConfigNamesWhatIsWrong(t *testing.T) {
	for field, spoil := range map[string][]func(*Config){
		"Config.Address": {
			func(c *Config) { c.Address = "" }, func(c *Config) { c.Address = "bastion" },
			func(c *Config) { c.Address = ":22" }, func(c *Config) { c.Address = "bastion:ssh" },
			func(c *Config) { c.Address = "bastion:0" }, func(c *Config) { c.Address = "bastion:65536" },
			func(c *Config) { c.Address = "2001:db8::1:22" },
		},
		"Config.User": {func(c *Config) { c.User = "" }},
		"Config.HostKeys": {
			func(c *Config) { c.HostKeys = nil }, func(c *Config) { c.HostKeys = PinnedKeys() },
			func(c *Config) { c.HostKeys = HostCertificates() }, func(c *Config) { c.HostKeys = PinnedKeys(nil) },
			func(c *Config) { c.HostKeys = (*KnownHosts)(nil) }, func(c *Config) { c.HostKeys = new(KnownHosts) },
			func(c *Config) {
				c.HostKeys = PinnedKeys(sshtest.HostCertificate(t, sshtest.NewKey(t), sshtest.NewKey(t), "x").PublicKey())
			},
		},
		"Config.Credentials": {
			func(c *Config) { c.Credentials = nil }, func(c *Config) { c.Credentials = []Credentials{nil} },
			func(c *Config) { c.Credentials = []Credentials{StaticSigners()} },
			func(c *Config) { c.Credentials = []Credentials{StaticSigners(nil)} },
			func(c *Config) { c.Credentials = []Credentials{AgentSocket("")} },
			func(c *Config) { c.Credentials = append(c.Credentials, (*KeyFile)(nil)) },
			func(c *Config) { c.Credentials = []Credentials{StaticSigners(plainRSA{rsaKey(t, 2048)})} },
		},
		"Config.Via":              {func(c *Config) { c.Via = (*Dialer)(nil) }},
		"Config.HandshakeTimeout": {func(c *Config) { c.HandshakeTimeout = -1 }},
		"Config.MaxConns":         {func(c *Config) { c.MaxConns = -1 }},
		"Config.MaxBackoff":       {func(c *Config) { c.MaxBackoff = -1 }},
	} {
		for i, f := range spoil {
			cfg := validConfig(t)
			f(&cfg)
			if d, err := New(cfg); err == nil || d != nil || !strings.Contains(err.Error(), field) {
				t.Errorf("%s, case %d: got %v", field, i, err)
			}
		}
	}
}

func TestConfigDefaults(t *testing.T) {
	c, err := validConfig(t).check()
	if err != nil {
		t.Fatal(err)
	}
	if c.HandshakeTimeout != 15*time.Second || c.KeepAlive != 5*time.Second || c.IdleTimeout != 5*time.Minute || c.MaxConns != 1024 || c.DialTimeout != 30*time.Second || c.Via == nil {
		t.Errorf("the defaults are %+v", c)
	}
	if lives*c.KeepAlive != 15*time.Second {
		t.Errorf("a dead server is found after %v, want 15s", lives*c.KeepAlive)
	}
}

// TestModernAlgorithms: nothing that is spoken by default is among what package
// ssh calls insecure, has SHA-1 or CBC in it, or is unknown to package ssh.
func TestModernAlgorithms(t *testing.T) {
	m, good, bad := modern(), ssh.SupportedAlgorithms(), ssh.InsecureAlgorithms()
	for _, l := range []struct{ ours, good, bad []string }{
		{m.KeyExchanges, good.KeyExchanges, bad.KeyExchanges},
		{m.Ciphers, good.Ciphers, bad.Ciphers},
		{m.MACs, good.MACs, bad.MACs},
		{modernHostKeys(), good.HostKeys, bad.HostKeys},
	} {
		if len(l.ours) == 0 {
			t.Error("there is none")
		}
		for _, a := range l.ours {
			if !slices.Contains(l.good, a) || slices.Contains(l.bad, a) || strings.Contains(a, "sha1") || strings.Contains(a, "cbc") || a == ssh.KeyAlgoRSA {
				t.Errorf("%s is not modern", a)
			}
		}
	}
	if !strings.Contains(m.Ciphers[0], "gcm") {
		t.Errorf("%s comes first, want a cipher that authenticates by itself", m.Ciphers[0])
	}
}

func TestAskFor(t *testing.T) {
	allowed := []string{"a", "b", "c"}
	for _, tt := range []struct{ known, want []string }{
		{[]string{"c", "a"}, []string{"a", "c"}},
		{nil, allowed},
		{[]string{"d"}, allowed},
	} {
		if got := askFor(allowed, tt.known); !slices.Equal(got, tt.want) {
			t.Errorf("with %v known: %v, want %v", tt.known, got, tt.want)
		}
	}
}

// TestConfigIsCopied: what the caller changes afterwards changes nothing.
func TestConfigIsCopied(t *testing.T) {
	mine := &ssh.Config{Ciphers: []string{ssh.CipherAES256GCM}}
	in := validConfig(t)
	in.SSH = mine
	c, err := in.check()
	if err != nil {
		t.Fatal(err)
	}
	mine.Ciphers[0] = "none"
	in.Credentials[0] = nil
	if c.SSH.Ciphers[0] != ssh.CipherAES256GCM || c.Credentials[0] == nil || in.SSH != mine {
		t.Error("the configuration is shared with the caller")
	}
	if c.strict {
		t.Error("own algorithms are held to the strict key exchange")
	}
}
