package agent

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/cmd/internal/flagtest"
	"github.com/sallyport/sallyport/dialer"
)

func TestPolicy(t *testing.T) {
	rules := file(t, "- cidrs: [10.0.0.0/8]\n  ports: [\"443\"]\n- names: [\"*.example\"]\n")
	for name, c := range map[string]struct {
		args            []string
		allowed, denied []string // name@address:port
		warned          bool
	}{
		"default": {
			nil,
			[]string{"10.0.0.1@10.0.0.1:10250", "a.example@203.0.113.1:80", "2001:db8::1@[2001:db8::1]:443"},
			[]string{"127.0.0.1@127.0.0.1:80", "169.254.169.254@169.254.169.254:80", "::1@[::1]:80", "a.example@127.0.0.1:80", "fe80::1@[fe80::1]:1"}, true,
		},
		"ports alone": {
			[]string{"--allow-ports=443,30000-32767"},
			[]string{"10.0.0.1@10.0.0.1:443", "10.0.0.1@10.0.0.1:30001"},
			[]string{"10.0.0.1@10.0.0.1:80", "127.0.0.1@127.0.0.1:443"}, true,
		},
		"networks": {
			[]string{"--allow-cidrs=10.0.0.0/8", "--allow-cidrs=127.0.0.0/8"},
			[]string{"10.0.0.1@10.0.0.1:1", "127.0.0.1@127.0.0.1:1"},
			[]string{"192.0.2.1@192.0.2.1:1"}, false,
		},
		"everything and loopback": {
			[]string{"--allow-cidrs=0.0.0.0/0,::/0,127.0.0.0/8"},
			[]string{"10.0.0.1@10.0.0.1:1", "127.0.0.1@127.0.0.1:1"},
			[]string{"169.254.169.254@169.254.169.254:80"}, false,
		},
		"names": {
			[]string{"--allow-names=*.example"},
			[]string{"a.example@10.0.0.1:1"},
			[]string{"10.0.0.1@10.0.0.1:1", "a.other@10.0.0.1:1", "a.example@127.0.0.1:1"}, false,
		},
		"file": {
			[]string{"--policy-file=" + rules},
			[]string{"10.0.0.1@10.0.0.1:443", "a.example@192.0.2.1:1"},
			[]string{"10.0.0.1@10.0.0.1:80", "192.0.2.1@192.0.2.1:1"}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := NewOptions()
			flagtest.Parse(t, o.Flags(), c.args...)
			log, out := logged()
			p, err := o.policy(log)
			if err != nil {
				t.Fatal(err)
			}
			ask := func(target string) error {
				host, addr, _ := strings.Cut(target, "@")
				return p.Allow(t.Context(), host, netip.MustParseAddrPort(addr))
			}
			for _, target := range c.allowed {
				if err := ask(target); err != nil {
					t.Errorf("%s: %v", target, err)
				}
			}
			for _, target := range c.denied {
				if err := ask(target); !errors.Is(err, dialer.ErrDenied) {
					t.Errorf("%s: %v, want it denied", target, err)
				}
			}
			if warned := strings.Contains(out.String(), "level=WARN"); warned != c.warned {
				t.Errorf("warned %v, want %v: %s", warned, c.warned, out)
			}
		})
	}
}

// The environment is for manifests whose arguments are to stay Konnectivity's.
func TestPolicyOfTheEnvironment(t *testing.T) {
	t.Setenv("PROXY_AGENT_ALLOW_CIDRS", "10.0.0.0/8,127.0.0.1/32")
	for args, want := range map[string][]string{"": {"10.0.0.0/8", "127.0.0.1/32"}, "--allow-cidrs=192.0.2.0/24": {"192.0.2.0/24"}} {
		o := NewOptions()
		flagtest.Parse(t, o.Flags(), strings.Fields(args)...)
		if got := o.allowed().CIDRs; !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}

func TestPolicyThatIsWrong(t *testing.T) {
	for _, c := range []struct{ arg, want string }{
		{"--allow-cidrs=10.0.0.1/8", "10.0.0.1/8"},
		{"--allow-names=10.0.0.1", "put it into CIDRs"},
		{"--allow-ports=http", "http"},
		{"--policy-file=" + file(t, "- cidr: [10.0.0.0/8]"), "cidr"},
		{"--policy-file=" + file(t, "[]"), "without rules"},
	} {
		o := NewOptions()
		flagtest.Parse(t, o.Flags(), c.arg)
		log, _ := logged()
		flag, _, _ := strings.Cut(c.arg, "=")
		if _, err := o.policy(log); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s: %v; want an error with the flag and %q", c.arg, err, c.want)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	for given, want := range map[string]struct {
		taken              string
		corrected, dropped int
	}{
		"":                              {"", 0, 0},
		"host=a&ipv4=10.0.0.1":          {"host=a&ipv4=10.0.0.1", 0, 0},
		"ipv4=":                         {"", 0, 1},
		"ipv4=2001:db8::1":              {"ipv6=2001%3Adb8%3A%3A1", 1, 0},
		"ipv6=10.0.0.1":                 {"ipv4=10.0.0.1", 1, 0},
		"cidr=127.0.0.1/16":             {"cidr=127.0.0.0%2F16", 1, 0},
		"default-route=true&host=A.b":   {"default-route=true&host=a.b", 0, 0},
		"host=node-1&host=&ipv4=&cidr=": {"host=node-1", 0, 3},
		"default-route":                 {"", 0, 1},
	} {
		log, out := logged()
		ids, err := (&Options{Identifiers: given}).identifiers(log)
		if err != nil {
			t.Errorf("%s: %v", given, err)
			continue
		}
		if ids.String() != want.taken {
			t.Errorf("%s: taken as %s, want %s", given, ids, want.taken)
		}
		if n := strings.Count(out.String(), "identifier corrected"); n != want.corrected {
			t.Errorf("%s: %d corrections told, want %d: %s", given, n, want.corrected, out)
		}
		if n := strings.Count(out.String(), "identifier dropped"); n != want.dropped {
			t.Errorf("%s: %d drops told, want %d: %s", given, n, want.dropped, out)
		}
		if told := strings.Contains(out.String(), "with --agent-identifiers"); told != (want.taken == "") {
			t.Errorf("%s: told that the agent claims nothing: %v: %s", given, told, out)
		}
	}
	for _, given := range []string{"node=a", "host:node-1", "node-1", "node-1=", "host=a&node-1", "ipv6=:::::", "cidr=10.0.0.0", "default-route=perhaps", "a=%zz"} {
		log, _ := logged()
		if _, err := (&Options{Identifiers: given}).identifiers(log); err == nil || !strings.Contains(err.Error(), "--agent-identifiers") {
			t.Errorf("%s: %v; want an error with the flag", given, err)
		}
	}
}
