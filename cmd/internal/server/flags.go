// Package server is the program konnectivity-server: its flags, their checks, and
// what they are put together to.
package server

import (
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/sallyport/sallyport/cmd/internal/flags"
	"github.com/sallyport/sallyport/cmd/internal/program"
)

// Options are the values of the flags. Use NewOptions for the defaults.
type Options struct {
	ServerCert, ServerKey, ServerCACert    string
	ClusterCert, ClusterKey, ClusterCACert string

	Mode               string
	UDSName            string
	DeleteExistingUDS  bool
	UDSMode            string
	ServerPort         int
	ServerBindAddress  string
	AgentPort          int
	AgentBindAddress   string
	AdminPort          int
	AdminBindAddress   string
	HealthPort         int
	HealthBindAddress  string
	KeepaliveTime      time.Duration
	FrontendKeepalive  time.Duration
	ServerID           string
	ServerCount        int
	ProxyStrategies    string
	CipherSuites       []string
	TLSMinVersion      string
	GracefulShutdown   time.Duration
	DrainTimeout       time.Duration
	BackendDialTimeout time.Duration

	AgentNamespace, AgentServiceAccount, Audience string
	EnableLeaseController                         bool
	LeaseLabel                                    string
	KubeconfigQPS                                 float32
	KubeconfigBurst                               int

	AgentIdentity, IdentityRules string
	AgentProtocols, AgentALPN    []string

	program.Common
}

// NewOptions returns the defaults.
func NewOptions() *Options {
	return &Options{
		Mode: "grpc", DeleteExistingUDS: true, UDSMode: "0770",
		ServerPort: 8090, AgentPort: 8091, HealthPort: 8092, AdminPort: 8095, AdminBindAddress: "127.0.0.1",
		KeepaliveTime: time.Hour, FrontendKeepalive: time.Hour,
		ServerID: os.Getenv("PROXY_SERVER_ID"), ServerCount: 1, ProxyStrategies: "default",
		LeaseLabel:   "k8s-app=konnectivity-server",
		DrainTimeout: program.DefaultDrain, AgentProtocols: program.DefaultProtocols(),
		Common: program.NewCommon(10, true),
	}
}

// Flags returns the set of all flags, with o's values as defaults.
func (o *Options) Flags() *pflag.FlagSet {
	fs := flags.New("konnectivity-server")
	o.addFrontFlags(fs)
	o.addAgentFlags(fs)
	o.addOperatingFlags(fs)
	o.addKubernetesFlags(fs)
	o.Common.AddFlags(fs)
	fs.Lookup("warn-on-channel-limit").Hidden = true
	return fs
}

func (o *Options) addFrontFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.Mode, "mode", o.Mode, "what clients speak: grpc or http-connect")
	fs.StringVar(&o.UDSName, "uds-name", o.UDSName, "path of the unix socket to serve clients on, in place of a port; needs --server-port=0")
	fs.BoolVar(&o.DeleteExistingUDS, "delete-existing-uds-file", o.DeleteExistingUDS, "remove a socket that is there already; with false, only one that nobody listens on")
	fs.StringVar(&o.UDSMode, "uds-mode", o.UDSMode, "permissions of the unix socket, octal")
	fs.IntVar(&o.ServerPort, "server-port", o.ServerPort, "port to serve clients on; 0 with --uds-name")
	fs.StringVar(&o.ServerBindAddress, "server-bind-address", o.ServerBindAddress, "address to serve clients on; empty is every address")
	fs.StringVar(&o.ServerCert, "server-cert", o.ServerCert, "PEM file of the certificate that clients are shown; reloaded when it changes")
	fs.StringVar(&o.ServerKey, "server-key", o.ServerKey, "PEM file of its key")
	fs.StringVar(&o.ServerCACert, "server-ca-cert", o.ServerCACert, "PEM file of the authorities that clients' certificates must be from; required unless --uds-name is given")
	fs.DurationVar(&o.FrontendKeepalive, "frontend-keepalive-time", o.FrontendKeepalive, "longest silence before a client is pinged; a time longer than the default counts as the default")
	flags.Effective(fs, "frontend-keepalive-time", ownFrontendKeepalive.String())
}

func (o *Options) addAgentFlags(fs *pflag.FlagSet) {
	fs.IntVar(&o.AgentPort, "agent-port", o.AgentPort, "port to take agents on")
	fs.StringVar(&o.AgentBindAddress, "agent-bind-address", o.AgentBindAddress, "address to take agents on; empty is every address")
	fs.StringVar(&o.ClusterCert, "cluster-cert", o.ClusterCert, "PEM file of the certificate that agents are shown; required; reloaded when it changes")
	fs.StringVar(&o.ClusterKey, "cluster-key", o.ClusterKey, "PEM file of its key; required")
	fs.StringVar(&o.ClusterCACert, "cluster-ca-cert", o.ClusterCACert, "PEM file of the authorities that agents' certificates must be from; required")
	fs.DurationVar(&o.KeepaliveTime, "keepalive-time", o.KeepaliveTime, "longest time between pings of an agent; a time longer than the default counts as the default")
	flags.Effective(fs, "keepalive-time", ownKeepalive.String())
	fs.StringVar(&o.AgentIdentity, "agent-identity", o.AgentIdentity, "what a certificate allows an agent to claim: rules (those of --agent-identity-rules), node (a kubelet's certificate: its own node), or any (whatever it likes); empty is any, with a warning. It limits whose traffic an agent gets only without the strategy default: see --proxy-strategies")
	fs.StringVar(&o.IdentityRules, "agent-identity-rules", o.IdentityRules, "YAML file with the list of rules that bind agents' claims to their certificates; they limit whose traffic an agent gets only without the strategy default: see --proxy-strategies")
	fs.StringSliceVar(&o.AgentProtocols, "agent-protocols", o.AgentProtocols, "protocols to take agents with, of yamux and grpc; Konnectivity's agents speak grpc")
	fs.StringSliceVar(&o.AgentALPN, "alpn-proto", o.AgentALPN, "further ALPN names that mean grpc on the agents' port")
	fs.StringVar(&o.ProxyStrategies, "proxy-strategies", o.ProxyStrategies, "how an agent is picked, tried in this order: destHost, cidr, defaultRoute, default. default picks any agent for any destination; with --agent-identity=node or rules, want destHost,cidr,defaultRoute")
	fs.DurationVar(&o.BackendDialTimeout, "backend-dial-timeout", o.BackendDialTimeout, "bound of a dial through an agent; 0 is the default")
	flags.Effective(fs, "backend-dial-timeout", "30s")
}

func (o *Options) addOperatingFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.ServerID, "server-id", o.ServerID, "name of this server, different from that of every other; also PROXY_SERVER_ID; empty is a random one")
	fs.IntVar(&o.ServerCount, "server-count", o.ServerCount, "number of servers that agents are to be connected to")
	fs.IntVar(&o.HealthPort, "health-port", o.HealthPort, "port of /healthz, /readyz and /metrics")
	fs.StringVar(&o.HealthBindAddress, "health-bind-address", o.HealthBindAddress, "address of the health port; empty is every address")
	fs.IntVar(&o.AdminPort, "admin-port", o.AdminPort, "port of profiling, and of /metrics once more")
	fs.StringVar(&o.AdminBindAddress, "admin-bind-address", o.AdminBindAddress, "address of the admin port; empty is loopback")
	fs.StringSliceVar(&o.CipherSuites, "cipher-suites", o.CipherSuites, "cipher suites of TLS 1.2, by their Go names; empty is Go's choice")
	fs.StringVar(&o.TLSMinVersion, "tls-min-version", o.TLSMinVersion, "least TLS version: VersionTLS12 or VersionTLS13; empty and lower ones are VersionTLS12")
	fs.DurationVar(&o.DrainTimeout, "drain-timeout", o.DrainTimeout, "how long open connections may go on after SIGTERM")
	fs.DurationVar(&o.GracefulShutdown, "graceful-shutdown-timeout", o.GracefulShutdown, "the same as --drain-timeout, under Konnectivity's name; a 0 that is given means at once")
	flags.Effective(fs, "graceful-shutdown-timeout", program.DefaultDrain.String())
}

func (o *Options) addKubernetesFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.AgentNamespace, "agent-namespace", o.AgentNamespace, "not supported: agents' tokens cannot be reviewed")
	fs.StringVar(&o.AgentServiceAccount, "agent-service-account", o.AgentServiceAccount, "not supported: agents' tokens cannot be reviewed")
	fs.StringVar(&o.Audience, "authentication-audience", o.Audience, "not supported: agents' tokens cannot be reviewed")
	fs.BoolVar(&o.EnableLeaseController, "enable-lease-controller", o.EnableLeaseController, "not supported: leases cannot be published")
	fs.StringVar(&o.LeaseLabel, "lease-label", o.LeaseLabel, "accepted, no effect")
	fs.Float32Var(&o.KubeconfigQPS, "kubeconfig-qps", o.KubeconfigQPS, "accepted, no effect")
	fs.IntVar(&o.KubeconfigBurst, "kubeconfig-burst", o.KubeconfigBurst, "accepted, no effect")
}

// unused lists the flags that have nothing to switch here.
func (o *Options) unused() []flags.Unused {
	return append(o.Common.Unused(),
		flags.Unused{Name: "lease-label", Why: program.NoAPI},
		flags.Unused{Name: "kubeconfig-qps", Why: program.NoAPI},
		flags.Unused{Name: "kubeconfig-burst", Why: program.NoAPI},
	)
}
