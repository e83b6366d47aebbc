package server

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
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
	// Zero that is given means at once, as there; and a set remembers what it was given.
	if spelt.drain() != 0 || plain.drain() != program.DefaultDrain {
		t.Errorf("drain: %v given as the default, %v by default; want 0 and %v", spelt.drain(), plain.drain(), program.DefaultDrain)
	}
	for _, o := range []*Options{plain, spelt} {
		o.Set, o.CipherSuites, o.AgentALPN = nil, nil, nil
	}
	if !reflect.DeepEqual(plain, spelt) {
		t.Errorf("with the defaults spelt out: %+v\nwithout: %+v", spelt, plain)
	}
}

func TestUnusedFlags(t *testing.T) {
	flagtest.UnusedOnce(t, newFlags, NewOptions().unused(), flagtest.Defaults(flagtest.Read(t, konnectivitys)))
}

func TestServerIDOfTheEnvironment(t *testing.T) {
	t.Setenv("PROXY_SERVER_ID", "from-env")
	o := NewOptions()
	flagtest.Parse(t, o.Flags())
	if o.ServerID != "from-env" {
		t.Errorf("server id %q, want that of the environment", o.ServerID)
	}
	flagtest.Parse(t, o.Flags(), "--server-id=from-flag")
	if o.ServerID != "from-flag" {
		t.Errorf("server id %q, want that of the flag", o.ServerID)
	}
}

// file makes a file that is there, whatever is in it.
func file(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestValidate(t *testing.T) {
	f := file(t)
	cluster := []string{"--cluster-cert=" + f, "--cluster-key=" + f, "--cluster-ca-cert=" + f}
	uds := append([]string{"--uds-name=/x/y.sock", "--server-port=0"}, cluster...)
	tcp := append([]string{"--server-cert=" + f, "--server-key=" + f, "--server-ca-cert=" + f}, cluster...)
	for _, c := range []struct {
		name string
		base []string
		add  string
		want []string // in the error; none: no error
	}{
		{"unix", uds, "", nil},
		{"tcp", tcp, "", nil},
		{"http-connect", uds, "--mode=http-connect", nil},
		{"mode", uds, "--mode=socks", []string{"--mode", "socks", "grpc or http-connect"}},
		{"unix with a port", uds, "--server-port=8090", []string{"--server-port", "8090", "want 0"}},
		{"unix with a certificate", uds, "--server-cert=" + f + " --server-key=" + f, []string{"--server-", f, "no TLS"}},
		{"unix with a CA", uds, "--server-ca-cert=" + f, []string{"--server-ca-cert", f}},
		{"unix permissions", uds, "--uds-mode=777", nil},
		{"unix permissions that are none", uds, "--uds-mode=rwx", []string{"--uds-mode", "rwx", "0770"}},
		{"unix permissions with a sticky bit", uds, "--uds-mode=1777", []string{"--uds-mode", "1777"}},
		{"tcp without a CA", cluster, "--server-cert=" + f + " --server-key=" + f, []string{"--server-ca-cert is empty", "--uds-name"}},
		{"tcp without a certificate", cluster, "--server-ca-cert=" + f, []string{"--server-cert", "--server-key"}},
		{"certificate without a key", cluster, "--server-cert=" + f, []string{"--server-key is empty", f}},
		{"key without a certificate", cluster, "--server-key=" + f, []string{"--server-cert is empty", f}},
		{"no cluster certificate", nil, "--uds-name=/x --server-port=0 --cluster-ca-cert=" + f, []string{"--cluster-cert", "--cluster-key"}},
		{"no cluster CA", nil, "--uds-name=/x --server-port=0 --cluster-cert=" + f + " --cluster-key=" + f, []string{"--cluster-ca-cert is empty"}},
		{"cluster CA that is not there", uds, "--cluster-ca-cert=/no/such", []string{"--cluster-ca-cert", "/no/such", "no such file"}},
		{"cluster key that is not there", uds, "--cluster-key=/no/such", []string{"--cluster-key", "/no/such"}},
		{"reserved server port", tcp, "--server-port=443", []string{"--server-port is 443", "reserved", "1024 to 49151"}},
		{"port 0 over tcp", tcp, "--server-port=0", []string{"--server-port is 0"}},
		{"ephemeral agent port", uds, "--agent-port=49152", []string{"--agent-port is 49152", "ephemeral", "1024 to 49151"}},
		{"highest agent port", uds, "--agent-port=49151", nil},
		{"lowest agent port", uds, "--agent-port=1024", nil},
		{"reserved agent port", uds, "--agent-port=1023", []string{"--agent-port is 1023"}},
		{"reserved admin port", uds, "--admin-port=80", []string{"--admin-port is 80"}},
		{"reserved health port", uds, "--health-port=80", []string{"--health-port is 80"}},
		{"contention without profiling", uds, "--enable-contention-profiling", []string{"--enable-profiling"}},
		{"both profilings", uds, "--enable-contention-profiling --enable-profiling", nil},
		{"namespace", uds, "--agent-namespace=kube-system", []string{"--agent-namespace", "kube-system", "--cluster-ca-cert"}},
		{"service account", uds, "--agent-service-account=a", []string{"--agent-service-account"}},
		{"audience", uds, "--authentication-audience=a", []string{"--authentication-audience"}},
		{"lease controller", uds, "--enable-lease-controller", []string{"--enable-lease-controller", "--server-count"}},
		{"kubeconfig that is not there", uds, "--kubeconfig=/no/such", []string{"--kubeconfig", "/no/such"}},
		{"strategies", uds, "--proxy-strategies=destHost,cidr,defaultRoute,default", nil},
		{"strategies with a gap", uds, "--proxy-strategies=destHost,,default,", nil},
		{"unknown strategy", uds, "--proxy-strategies=destHost,nearest", []string{"--proxy-strategies", "nearest", "defaultRoute"}},
		{"no strategies", uds, "--proxy-strategies=", []string{"--proxy-strategies"}},
		{"channel size", uds, "--xfr-channel-size=0", []string{"--xfr-channel-size is 0", "at least 1"}},
		{"TLS 1.3", uds, "--tls-min-version=VersionTLS13", nil},
		{"TLS 1.0 is raised", uds, "--tls-min-version=VersionTLS10", nil},
		{"TLS 1.4", uds, "--tls-min-version=VersionTLS14", []string{"--tls-min-version", "VersionTLS14", "VersionTLS13"}},
		{"suite", uds, "--cipher-suites=TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", nil},
		{"no suites, written as a list", uds, "--cipher-suites=[]", nil},
		{"insecure suite", uds, "--cipher-suites=TLS_RSA_WITH_RC4_128_SHA", []string{"--cipher-suites", "RC4", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"}},
		{"negative shutdown", uds, "--graceful-shutdown-timeout=-1s", []string{"--graceful-shutdown-timeout is -1s"}},
		{"negative dial timeout", uds, "--backend-dial-timeout=-1s", []string{"--backend-dial-timeout is -1s"}},
		{"negative drain", uds, "--drain-timeout=-1s", []string{"--drain-timeout is -1s"}},
		{"two drains", uds, "--drain-timeout=1s --graceful-shutdown-timeout=2s", []string{"--drain-timeout", "1s", "--graceful-shutdown-timeout", "2s"}},
		{"the same drain twice", uds, "--drain-timeout=2s --graceful-shutdown-timeout=2s", nil},
		{"server count", uds, "--server-count=0", []string{"--server-count is 0"}},
		{"node identity", uds, "--agent-identity=node", nil},
		{"any identity", uds, "--agent-identity=any", nil},
		{"unknown identity", uds, "--agent-identity=some", []string{"--agent-identity", "some", "rules, node or any"}},
		{"rules without a file", uds, "--agent-identity=rules", []string{"--agent-identity-rules is empty"}},
		{"rules with a file", uds, "--agent-identity=rules --agent-identity-rules=" + f, nil},
		{"a file alone", uds, "--agent-identity-rules=" + f, nil},
		{"any identity with rules", uds, "--agent-identity=any --agent-identity-rules=" + f, []string{"--agent-identity", "any", f}},
		{"rules that are not there", uds, "--agent-identity-rules=/no/such", []string{"--agent-identity-rules", "/no/such"}},
		{"one protocol", uds, "--agent-protocols=grpc", nil},
		{"unknown protocol", uds, "--agent-protocols=quic", []string{"--agent-protocols", "quic", "yamux, grpc or both"}},
		{"no protocol", uds, "--agent-protocols=", []string{"--agent-protocols is empty"}},
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

func TestKeepaliveOnlyShortens(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		time.Hour: ownKeepalive, 0: ownKeepalive, -1: ownKeepalive, time.Second: time.Second, ownKeepalive: ownKeepalive,
	} {
		if got := shorter(asked, ownKeepalive); got != want {
			t.Errorf("asked for %v: %v, want %v", asked, got, want)
		}
	}
}

func TestMinTLS(t *testing.T) {
	for name, want := range map[string]struct {
		version uint16
		raised  bool
	}{
		"": {tls.VersionTLS12, false}, "VersionTLS12": {tls.VersionTLS12, false}, "VersionTLS13": {tls.VersionTLS13, false},
		"VersionTLS10": {tls.VersionTLS12, true}, "VersionTLS11": {tls.VersionTLS12, true},
	} {
		o := &Options{TLSMinVersion: name}
		if v, raised, err := o.minTLS(); v != want.version || raised != want.raised || err != nil {
			t.Errorf("%q: %x, raised %v, %v; want %x, %v", name, v, raised, err, want.version, want.raised)
		}
	}
}

// logged returns a logger and what it has logged.
func logged() (*slog.Logger, *bytes.Buffer) {
	b := new(bytes.Buffer)
	return slog.New(slog.NewTextHandler(b, nil)), b
}
