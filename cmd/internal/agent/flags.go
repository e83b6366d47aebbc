// Package agent is the program konnectivity-agent: its flags, their checks, and
// what they are put together to.
package agent

import (
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/sallyport/sallyport/cmd/internal/flags"
	"github.com/sallyport/sallyport/cmd/internal/program"
)

// Options are the values of the flags. Use NewOptions for the defaults.
type Options struct {
	AgentCert, AgentKey, CACert string
	TokenPath                   string

	ServerHost        string
	ServerPort        int
	ALPN              []string
	Protocols         []string
	AgentID           string
	Identifiers       string
	SyncInterval      time.Duration
	SyncIntervalCap   time.Duration
	KeepaliveTime     time.Duration
	DrainTimeout      time.Duration
	HealthHost        string
	HealthPort        int
	AdminBindAddress  string
	AdminPort         int
	ServerCountSource string

	AllowCIDRs, AllowNames, AllowPorts []string
	PolicyFile                         string

	ProbeInterval     time.Duration
	SyncForever       bool
	CountServerLeases bool
	LeaseSelector     string

	program.Common
}

// NewOptions returns the defaults.
func NewOptions() *Options {
	return &Options{
		ServerHost: "127.0.0.1", ServerPort: 8091, Protocols: program.DefaultProtocols(),
		AllowCIDRs: flags.List(strings.Split(os.Getenv("PROXY_AGENT_ALLOW_CIDRS"), ",")),
		AgentID:    os.Getenv("PROXY_AGENT_ID"), SyncInterval: time.Second, SyncIntervalCap: 10 * time.Second,
		KeepaliveTime: time.Hour, DrainTimeout: program.DefaultDrain,
		HealthPort: 8093, AdminPort: 8094, AdminBindAddress: "127.0.0.1", ServerCountSource: "default",
		ProbeInterval: time.Second, LeaseSelector: "k8s-app=konnectivity-server",
		Common: program.NewCommon(150, false),
	}
}

// Flags returns the set of all flags, with o's values as defaults.
func (o *Options) Flags() *pflag.FlagSet {
	fs := flags.New("konnectivity-agent")
	o.addServerFlags(fs)
	o.addTargetFlags(fs)
	o.addOperatingFlags(fs)
	o.addUnusedFlags(fs)
	o.Common.AddFlags(fs)
	return fs
}

func (o *Options) addServerFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.AgentCert, "agent-cert", o.AgentCert, "PEM file of the certificate that servers are shown; reloaded when it changes")
	fs.StringVar(&o.AgentKey, "agent-key", o.AgentKey, "PEM file of its key")
	fs.StringVar(&o.CACert, "ca-cert", o.CACert, "PEM file of the authorities that servers' certificates must be from; required; reloaded when it changes")
	fs.StringVar(&o.TokenPath, "service-account-token-path", o.TokenPath, "file of the token that servers are shown; read again for each connection")
	fs.StringVar(&o.ServerHost, "proxy-server-host", o.ServerHost, "host of the server, or of the balancer before the servers; their certificates must be for it")
	fs.IntVar(&o.ServerPort, "proxy-server-port", o.ServerPort, "port of the server")
	fs.StringSliceVar(&o.ALPN, "alpn-proto", o.ALPN, "ALPN names to offer first, for a balancer that tells connections apart by them")
	fs.StringSliceVar(&o.Protocols, "protocols", o.Protocols, "protocols to offer servers, of yamux and grpc; Konnectivity's servers speak grpc")
	fs.DurationVar(&o.SyncInterval, "sync-interval", o.SyncInterval, "first wait before a server is tried again")
	flags.Effective(fs, "sync-interval", "250ms")
	fs.DurationVar(&o.SyncIntervalCap, "sync-interval-cap", o.SyncIntervalCap, "longest wait before a server is tried again")
	flags.Effective(fs, "sync-interval-cap", "2.5s")
	fs.BoolVar(&o.SyncForever, "sync-forever", o.SyncForever, "look for further servers also when as many as they say are connected")
	fs.DurationVar(&o.KeepaliveTime, "keepalive-time", o.KeepaliveTime, "longest time between pings of a server; a time longer than the default counts as the default")
	flags.Effective(fs, "keepalive-time", ownKeepalive.String())
}

func (o *Options) addTargetFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.AgentID, "agent-id", o.AgentID, "name of this agent; also PROXY_AGENT_ID; empty is a random one")
	fs.StringVar(&o.Identifiers, "agent-identifiers", o.Identifiers, "what the agent serves, as in host=node-1&ipv4=10.0.0.1&ipv6=2001:db8::1&cidr=10.1.0.0/16&default-route=true")
	fs.StringSliceVar(&o.AllowCIDRs, "allow-cidrs", o.AllowCIDRs, "networks the agent may connect to; also PROXY_AGENT_ALLOW_CIDRS. Loopback, link-local and metadata addresses only where one of them is named. Without this, --allow-names and --policy-file, every other address")
	fs.StringSliceVar(&o.AllowNames, "allow-names", o.AllowNames, "names the agent may connect to, such as api.example and *.example; with --allow-cidrs, only where they resolve into those")
	fs.StringSliceVar(&o.AllowPorts, "allow-ports", o.AllowPorts, "ports the agent may connect to, such as 10250 and 30000-32767; empty is every port")
	fs.StringVar(&o.PolicyFile, "policy-file", o.PolicyFile, "YAML file with the list of rules of what the agent may connect to, in place of the --allow flags")
}

func (o *Options) addOperatingFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.HealthHost, "health-server-host", o.HealthHost, "address of the health port; empty is every address")
	fs.IntVar(&o.HealthPort, "health-server-port", o.HealthPort, "port of /healthz, /readyz and /metrics")
	fs.StringVar(&o.AdminBindAddress, "admin-bind-address", o.AdminBindAddress, "address of the admin port; empty is every address")
	fs.IntVar(&o.AdminPort, "admin-server-port", o.AdminPort, "port of profiling; its /metrics leads to the health port")
	fs.DurationVar(&o.DrainTimeout, "drain-timeout", o.DrainTimeout, "how long open connections may go on after SIGTERM; 0 is at once")
}

func (o *Options) addUnusedFlags(fs *pflag.FlagSet) {
	fs.DurationVar(&o.ProbeInterval, "probe-interval", o.ProbeInterval, "accepted, no effect")
	fs.StringVar(&o.ServerCountSource, "server-count-source", o.ServerCountSource, "accepted, no effect: default or max")
	fs.BoolVar(&o.CountServerLeases, "count-server-leases", o.CountServerLeases, "not supported: leases cannot be counted")
	fs.StringVar(&o.LeaseSelector, "lease-label-selector", o.LeaseSelector, "accepted, no effect")
	fs.StringVar(&o.LeaseSelector, "lease-label", o.LeaseSelector, "accepted, no effect")
	fs.Lookup("lease-label").Hidden = true
}

// unused lists the flags that have nothing to switch here.
func (o *Options) unused() []flags.Unused {
	return append(o.Common.Unused(),
		flags.Unused{Name: "probe-interval", Why: "a lost connection is noticed at once"},
		flags.Unused{Name: "server-count-source", Why: "the number of servers is what the servers say"},
		flags.Unused{Name: "lease-label-selector", Why: program.NoAPI},
		flags.Unused{Name: "lease-label", Why: program.NoAPI},
	)
}
