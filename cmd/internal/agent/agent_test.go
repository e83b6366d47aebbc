package agent

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/sallyport/sallyport/cmd/internal/flagtest"
	"github.com/sallyport/sallyport/cmd/internal/program"
)

const konnectivitys = "testdata/konnectivity-flags.txt"

func newFlags() *pflag.FlagSet { return NewOptions().Flags() }

// What --help says changes only on purpose.
func TestHelp(t *testing.T) { flagtest.Help(t, Main, "testdata/help.txt") }

func TestFlagsAreKonnectivitys(t *testing.T) {
	flagtest.Compare(t, newFlags(), flagtest.Read(t, konnectivitys))
}

// A manifest may spell out every default.
func TestDefaultsSpeltOut(t *testing.T) {
	plain, spelt := NewOptions(), NewOptions()
	flagtest.Parse(t, plain.Flags())
	flagtest.Parse(t, spelt.Flags(), flagtest.Defaults(flagtest.Read(t, konnectivitys))...)
	for _, o := range []*Options{plain, spelt} {
		o.Set, o.ALPN = nil, nil
	}
	if !reflect.DeepEqual(plain, spelt) {
		t.Errorf("with the defaults spelt out: %+v\nwithout: %+v", spelt, plain)
	}
}

func TestUnusedFlags(t *testing.T) {
	flagtest.UnusedOnce(t, newFlags, NewOptions().unused(), flagtest.Defaults(flagtest.Read(t, konnectivitys)))
}

// file makes a file that is there, whatever is in it.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestValidate(t *testing.T) {
	f := file(t, "x")
	ca, cert := []string{"--ca-cert=" + f}, []string{"--ca-cert=" + f, "--agent-cert=" + f, "--agent-key=" + f}
	for _, c := range []struct {
		name string
		base []string
		add  string
		want []string // in the error; none: no error
	}{
		{"certificate", cert, "", nil},
		{"token", ca, "--service-account-token-path=" + f, nil},
		{"both", cert, "--service-account-token-path=" + f, nil},
		{"neither", ca, "", []string{"--agent-cert", "--service-account-token-path"}},
		{"no CA", nil, "--service-account-token-path=" + f, []string{"--ca-cert is empty"}},
		{"CA that is not there", cert, "--ca-cert=/no/such", []string{"--ca-cert", "/no/such"}},
		{"token that is not there", ca, "--service-account-token-path=/no/such", []string{"--service-account-token-path", "/no/such"}},
		{"certificate without a key", ca, "--agent-cert=" + f, []string{"--agent-key is empty", f}},
		{"key without a certificate", ca, "--agent-key=" + f, []string{"--agent-cert is empty", f}},
		{"certificate that is not there", ca, "--agent-cert=/no/such --agent-key=" + f, []string{"--agent-cert", "/no/such"}},
		{"no host", cert, "--proxy-server-host=", []string{"--proxy-server-host is empty"}},
		{"host with a port", cert, "--proxy-server-host=localhost:8091", []string{"--proxy-server-host", "localhost:8091", "--proxy-server-port"}},
		{"address with a port", cert, "--proxy-server-host=10.0.0.1:8091", []string{"--proxy-server-host", "10.0.0.1:8091"}},
		{"IPv6 address", cert, "--proxy-server-host=2001:db8::1", nil},
		{"IPv6 address in brackets", cert, "--proxy-server-host=[::1]", []string{"--proxy-server-host", "[::1]", "alone"}},
		{"URL", cert, "--proxy-server-host=https://a.example", []string{"--proxy-server-host", "https://a.example"}},
		{"server port", cert, "--proxy-server-port=443", nil},
		{"server port 0", cert, "--proxy-server-port=0", []string{"--proxy-server-port is 0", "1 to 65535"}},
		{"server port too high", cert, "--proxy-server-port=65536", []string{"--proxy-server-port is 65536"}},
		{"health port 0", cert, "--health-server-port=0", []string{"--health-server-port is 0"}},
		{"admin port 0", cert, "--admin-server-port=-1", []string{"--admin-server-port is -1"}},
		{"channel size", cert, "--xfr-channel-size=0", []string{"--xfr-channel-size is 0"}},
		{"contention without profiling", cert, "--enable-contention-profiling", []string{"--enable-profiling"}},
		{"sync intervals", cert, "--sync-interval=20s", []string{"--sync-interval is 20s", "--sync-interval-cap is 10s"}},
		{"leases", cert, "--count-server-leases", []string{"--count-server-leases", "--server-count"}},
		{"count source", cert, "--server-count-source=max", nil},
		{"no count source", cert, "--server-count-source=", nil},
		{"unknown count source", cert, "--server-count-source=min", []string{"--server-count-source", "min", "default or max"}},
		{"kubeconfig that is not there", cert, "--kubeconfig=/no/such", []string{"--kubeconfig", "/no/such"}},
		{"negative drain", cert, "--drain-timeout=-1s", []string{"--drain-timeout is -1s"}},
		{"policy file that is not there", cert, "--policy-file=/no/such", []string{"--policy-file", "/no/such"}},
		{"two policies", cert, "--policy-file=" + f + " --allow-ports=443", []string{"--policy-file", f, "--allow-ports"}},
		{"one protocol", cert, "--protocols=grpc", nil},
		{"unknown protocol", cert, "--protocols=quic", []string{"--protocols", "quic", "yamux, grpc or both"}},
		{"no protocol", cert, "--protocols=[]", []string{"--protocols is empty"}},
		{"deprecated label", cert, "--lease-label=a=b", nil},
		{"underscores", cert, "--agent_id=a", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := NewOptions()
			flagtest.Parse(t, o.Flags(), append(append([]string(nil), c.base...), strings.Fields(c.add)...)...)
			err := o.Validate()
			if len(c.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("the error does not say %q: %v", w, err)
				}
			}
		})
	}
}

func TestRandomID(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	a, b := randomID(), randomID()
	if !uuid.MatchString(a) || a == b {
		t.Errorf("%q and %q; want two UUIDs", a, b)
	}
}

func TestConfig(t *testing.T) {
	log, _ := logged()
	config := func(args ...string) *Options {
		o := NewOptions()
		flagtest.Parse(t, o.Flags(), args...)
		return o
	}
	ca := file(t, "no certificate")
	if _, err := config("--ca-cert="+ca, "--service-account-token-path="+ca).config(log); err == nil || !strings.Contains(err.Error(), "--ca-cert") {
		t.Errorf("a CA that is none: %v", err)
	}
	// What comes before the files.
	cfg, _ := config("--proxy-server-host=::1", "--sync-interval=2s", "--sync-interval-cap=5s", "--sync-forever", "--alpn-proto=[]",
		"--drain-timeout=0", "--agent-id=a", "--ca-cert="+ca, "--keepalive-time=1s").config(log)
	if cfg.ID != "a" || cfg.Servers[0] != "[::1]:8091" || cfg.MinBackoff != 2*time.Second || cfg.MaxBackoff != 5*time.Second ||
		!cfg.KeepSearching || len(cfg.ALPN) != 0 || cfg.DrainTimeout >= 0 || cfg.KeepAlive != time.Second {
		t.Errorf("configuration %+v", cfg)
	}
	cfg, _ = config("--ca-cert=" + ca).config(log)
	if cfg.MinBackoff != 0 || cfg.MaxBackoff != 0 || cfg.KeepSearching || cfg.DrainTimeout != program.DefaultDrain || cfg.KeepAlive != ownKeepalive || cfg.ID == "" {
		t.Errorf("configuration by default %+v", cfg)
	}
}

// logged returns a logger and what it has logged.
func logged() (*slog.Logger, *bytes.Buffer) {
	b := new(bytes.Buffer)
	return slog.New(slog.NewTextHandler(b, nil)), b
}
